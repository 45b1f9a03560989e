#include "model/row_kernel.hpp"

#include <algorithm>
#include <stdexcept>

#ifdef __x86_64__

#include <immintrin.h>

// These functions alone are compiled for AVX2: the program starts on any x86-64 and asks has_row_kernel() first.
#define COROLLA_AVX2 __attribute__((target("avx2,fma")))
#ifdef __clang__
#define COROLLA_UNROLL _Pragma("unroll")
#else
#define COROLLA_UNROLL _Pragma("GCC unroll 16")
#endif

namespace corolla::model {

namespace {

constexpr int64_t lanes = 8;
/// Longest piece of the depth: eight rows of it fit the first-level cache.
constexpr int64_t max_depth_block = 768;

/// A piece of the depth, [begin, end); the first one sets the outputs, the others add to them.
struct depth_block {
  int64_t begin, end;
};

COROLLA_AVX2 inline __m256 load(const float* p) {
  return _mm256_loadu_ps(p);
}

COROLLA_AVX2 inline __m256 load(const bfloat16_bits* p) {
  const auto halves = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
}

/// `count` < 8 elements, zeros behind them.
template <class T>
COROLLA_AVX2 inline __m256 load_few(const T* p, int64_t count) {
  T padded[lanes] = {};
  std::copy_n(p, count, padded);
  return load(padded);
}

COROLLA_AVX2 inline float sum(__m256 v) {
  auto s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  s = _mm_add_ss(s, _mm_movehdup_ps(s));
  return _mm_cvtss_f32(s);
}

/// What becomes of the next tile's weights.
enum class ahead {
  nothing,  ///< left to the processor's own prefetcher, which stops at a page's end
  stay,     ///< fetched: the rows after these need them again
  pass,     ///< fetched past the caches: they are used once, and what else the processor works with stays
};

template <ahead Ahead>
COROLLA_AVX2 inline void fetch(const void* p) {
  if constexpr (Ahead == ahead::stay) _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0);
  if constexpr (Ahead == ahead::pass) _mm_prefetch(static_cast<const char*>(p), _MM_HINT_NTA);
}

/// Adds the products of eight places of the depth; `x` and `w` point to the first of them.
template <int Rows, int Columns, class Weight>
COROLLA_AVX2 __attribute__((always_inline)) inline void add_products(
    const float* x, const Weight* w, int64_t depth, __m256 (&sums)[Rows][Columns]) {
  __m256 weights[Columns];
  COROLLA_UNROLL
  for (int c = 0; c < Columns; ++c) weights[c] = load(w + c * depth);
  COROLLA_UNROLL
  for (int r = 0; r < Rows; ++r) {
    const auto inputs = load(x + r * depth);
    COROLLA_UNROLL
    for (int c = 0; c < Columns; ++c) sums[r][c] = _mm256_fmadd_ps(inputs, weights[c], sums[r][c]);
  }
}

/// Rows x Columns outputs at (row, column).
template <int Rows, int Columns, ahead Ahead, class Weight>
COROLLA_AVX2 void compute_tile(const row_product<Weight>& p, depth_block block, int64_t row, int64_t column) {
  const auto* x = p.input + row * p.depth;
  const auto* w = p.weight + column * p.depth;
  constexpr int64_t line = 64 / sizeof(Weight);
  __m256 sums[Rows][Columns];
  COROLLA_UNROLL
  for (int r = 0; r < Rows; ++r) {
    COROLLA_UNROLL
    for (int c = 0; c < Columns; ++c) sums[r][c] = _mm256_setzero_ps();
  }
  auto d = block.begin;
  for (; d + line <= block.end; d += line) {
    COROLLA_UNROLL
    for (int c = 0; c < Columns; ++c) fetch<Ahead>(w + (c + Columns) * p.depth + d);
    COROLLA_UNROLL
    for (int64_t l = 0; l < line; l += lanes) add_products<Rows, Columns>(x + d + l, w + d + l, p.depth, sums);
  }
  for (; d + lanes <= block.end; d += lanes) add_products<Rows, Columns>(x + d, w + d, p.depth, sums);
  if (d < block.end) {
    for (int r = 0; r < Rows; ++r)
      for (int c = 0; c < Columns; ++c)
        sums[r][c] = _mm256_fmadd_ps(
            load_few(x + r * p.depth + d, block.end - d), load_few(w + c * p.depth + d, block.end - d), sums[r][c]);
  }
  auto* y = p.output + row * p.columns + column;
  for (int r = 0; r < Rows; ++r)
    for (int c = 0; c < Columns; ++c)
      y[r * p.columns + c] = block.begin == 0 ? sum(sums[r][c]) : y[r * p.columns + c] + sum(sums[r][c]);
}

/// All columns of [begin, end) for some rows.
template <int Rows, int Columns, ahead Ahead, class Weight>
void compute_rows(const row_product<Weight>& p, depth_block block, int64_t row, int64_t begin, int64_t end) {
  auto column = begin;
  for (; column + Columns <= end; column += Columns) compute_tile<Rows, Columns, Ahead>(p, block, row, column);
  for (; column < end; ++column) compute_tile<Rows, 1, ahead::nothing>(p, block, row, column);
}

/// The tile for 1 to 8 rows: as many sums as the sixteen registers hold.
template <ahead Ahead, class Weight>
void compute_few_rows(
    const row_product<Weight>& p, depth_block block, int64_t row, int64_t rows, int64_t begin, int64_t end) {
  switch (rows) {
    case 1:
      return compute_rows<1, 8, Ahead>(p, block, row, begin, end);
    case 2:
      return compute_rows<2, 6, Ahead>(p, block, row, begin, end);
    case 3:
      return compute_rows<3, 4, Ahead>(p, block, row, begin, end);
    case 4:
      return compute_rows<4, 3, Ahead>(p, block, row, begin, end);
    case 5:
      return compute_rows<5, 1, Ahead>(p, block, row, begin, end);
    case 6:
      return compute_rows<6, 1, Ahead>(p, block, row, begin, end);
    case 7:
      return compute_rows<7, 1, Ahead>(p, block, row, begin, end);
    case 8:
      return compute_rows<8, 1, Ahead>(p, block, row, begin, end);
    default:
      throw std::logic_error("no tile has so many rows");
  }
}

template <class Weight>
void compute_block(const row_product<Weight>& p, depth_block block, int64_t begin, int64_t end) {
  if (p.rows <= 8) return compute_few_rows<ahead::pass>(p, block, 0, p.rows, begin, end);
  compute_few_rows<ahead::stay>(p, block, 0, 4, begin, end);
  for (int64_t row = 4; row < p.rows; row += 4)
    compute_few_rows<ahead::nothing>(p, block, row, std::min<int64_t>(4, p.rows - row), begin, end);
}

}  // namespace

bool has_row_kernel() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

template <class Weight>
void compute_columns(const row_product<Weight>& product, int64_t begin, int64_t end) {
  if (product.rows == 0) return;
  const auto num_blocks = std::max<int64_t>(1, (product.depth + max_depth_block - 1) / max_depth_block);
  const auto block_size = (product.depth / num_blocks + lanes - 1) / lanes * lanes;
  for (auto column = begin; column < end; column += columns_per_group) {
    const auto group_end = std::min(column + columns_per_group, end);
    for (int64_t block = 0; block < num_blocks; ++block) {
      const auto block_end = block + 1 == num_blocks ? product.depth : (block + 1) * block_size;
      compute_block(product, {block * block_size, block_end}, column, group_end);
    }
  }
}

}  // namespace corolla::model

#else

namespace corolla::model {

bool has_row_kernel() {
  return false;
}

template <class Weight>
void compute_columns(const row_product<Weight>&, int64_t, int64_t) {
  throw std::logic_error("this processor has no row kernel");
}

}  // namespace corolla::model

#endif

namespace corolla::model {

template void compute_columns(const row_product<float>&, int64_t, int64_t);
template void compute_columns(const row_product<bfloat16_bits>&, int64_t, int64_t);

}  // namespace corolla::model
