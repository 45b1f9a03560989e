// The shared operations against plain loops in double precision.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <cmath>
#include <complex>
#include <random>
#include <vector>

#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>

#include "model/linear.hpp"
#include "model/ops.hpp"

namespace corolla::tests {

namespace {

namespace data = boost::unit_test::data;
using at::Tensor;

/// Seeded values of a normal distribution.
Tensor random_tensor(at::IntArrayRef dims, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> values;
  auto t = at::empty(dims, at::TensorOptions(at::kFloat));
  auto* p = t.mutable_data_ptr<float>();
  for (int64_t i = 0; i < t.numel(); ++i) p[i] = values(random);
  return t;
}

double value(const Tensor& t, std::initializer_list<int64_t> index) {
  auto element = t;
  for (const auto i : index) element = element.select(0, i);
  return element.item().toDouble();
}

/// scores: softmax over j of (q · k[j] / sqrt(D) + bias[j]); gives component d of the weighted sum of values.
double naive_attention(
    const Tensor& q, const Tensor& keys, const Tensor& values, const std::vector<double>& bias, int64_t d) {
  const auto D = q.size(0);
  double total = 0, sum = 0;
  for (int64_t j = 0; j < keys.size(0); ++j) {
    double score = bias[size_t(j)];
    for (int64_t i = 0; i < D; ++i) score += value(q, {i}) * value(keys, {j, i}) / std::sqrt(double(D));
    total += std::exp(score);
    sum += std::exp(score) * value(values, {j, d});
  }
  return sum / total;
}

struct attention_case {
  int64_t B, T, S, H, K, D;
};
std::ostream& operator<<(std::ostream& out, const attention_case& c) {
  return out << "B" << c.B << " T" << c.T << " S" << c.S << " H" << c.H << " K" << c.K << " D" << c.D;
}

const std::vector<attention_case> attention_cases = {{1, 1, 5, 4, 2, 6}, {3, 1, 1, 3, 1, 4}, {2, 1, 4, 2, 2, 8},
                                                     {1, 4, 4, 4, 2, 6}, {2, 4, 4, 6, 2, 6}, {2, 3, 7, 5, 1, 2},
                                                     {2, 3, 7, 3, 3, 4}, {1, 2, 9, 4, 2, 5}};

/// Compares every output with the loop above; `bias(h, t, j)` is what the mask is meant to add.
template <class Bias>
void check_attention(const attention_case& c, const model::attention_mask& mask, const Bias& bias) {
  const auto q = random_tensor({c.B, c.T, c.H, c.D}, 1);
  const auto keys = random_tensor({c.B, c.S, c.K, c.D}, 2).transpose(1, 2);
  const auto values = random_tensor({c.B, c.S, c.K, c.D}, 3).transpose(1, 2);
  const auto y = model::attention(q, keys, values, mask);
  BOOST_TEST_REQUIRE(y.sizes().vec() == q.sizes().vec(), boost::test_tools::per_element());
  double worst = 0;
  for (int64_t b = 0; b < c.B; ++b)
    for (int64_t t = 0; t < c.T; ++t)
      for (int64_t h = 0; h < c.H; ++h) {
        std::vector<double> biases;
        for (int64_t j = 0; j < c.S; ++j) biases.push_back(bias(h, t, j));
        const auto shared = h / (c.H / c.K);
        for (int64_t d = 0; d < c.D; ++d) {
          const auto expected = naive_attention(q[b][t][h], keys[b][shared], values[b][shared], biases, d);
          worst = std::max(worst, std::abs(value(y, {b, t, h, d}) - expected));
        }
      }
  BOOST_TEST(worst < 1e-5);
}

const auto hidden_key = -INFINITY;

}  // namespace

BOOST_DATA_TEST_CASE(attention_sees_the_past_alone, data::make(attention_cases), c) {
  const auto past = c.S - c.T;
  const auto causal = [&](int64_t, int64_t t, int64_t j) { return j <= past + t ? 0 : hidden_key; };
  check_attention(c, {model::causal_mask(c.T, c.S, at::kCPU), false}, causal);
  if (past == 0) check_attention(c, {{}, /*is_causal=*/true}, causal);
  if (c.T == 1) check_attention(c, {}, causal);
}

BOOST_DATA_TEST_CASE(attention_with_alibi_fades_with_the_distance, data::make(attention_cases), c) {
  const auto past = c.S - c.T;
  std::vector<float> slopes;
  for (int64_t h = 0; h < c.H; ++h) slopes.push_back(0.3f / float(h + 1));
  Tensor on_device = at::empty({c.H}, at::TensorOptions(at::kFloat));
  std::copy(slopes.begin(), slopes.end(), on_device.mutable_data_ptr<float>());
  check_attention(c, {model::alibi_mask(on_device, c.T, c.S), false}, [&](int64_t h, int64_t t, int64_t j) {
    return j <= past + t ? -double(slopes[size_t(h)]) * double(past + t - j) : hidden_key;
  });
}

BOOST_AUTO_TEST_CASE(alibi_slopes_of_any_number_of_heads) {
  const std::vector<std::vector<double>> exponents = {
      {8},
      {4, 8},
      {4, 8, 2},
      {2, 4, 6, 8},
      {2, 4, 6, 8, 1},
      {2, 4, 6, 8, 1, 3},
      {2, 4, 6, 8, 1, 3, 5},
      {1, 2, 3, 4, 5, 6, 7, 8},
      {1, 2, 3, 4, 5, 6, 7, 8, 0.5, 1.5, 2.5, 3.5}};
  for (const auto& expected : exponents) {
    const auto slopes = model::alibi_slopes(static_cast<int64_t>(expected.size()));
    BOOST_TEST_REQUIRE(slopes.size() == expected.size());
    for (size_t h = 0; h < slopes.size(); ++h)
      BOOST_TEST(slopes[h] == std::exp2(-expected[h]), boost::test_tools::tolerance(1e-6));
  }
}

BOOST_AUTO_TEST_CASE(llama3_scaling_stretches_long_waves_and_keeps_short_ones) {
  const model::llama3_rope_scaling scaling{8, 1, 4, 8192};
  const auto plain = model::rope_frequencies(128, 500000, {});
  const auto scaled = model::rope_frequencies(128, 500000, scaling);
  size_t kept = 0, stretched = 0;
  for (size_t i = 0; i < plain.size(); ++i) {
    const auto turns = 8192 * plain[i] / (2 * M_PI);  // within the original context
    // Linear in the number of turns from 1 (stretched eightfold) to 4 (kept).
    const auto share = std::clamp((turns - 1) / 3, 0.0, 1.0);
    BOOST_TEST(scaled[i] == plain[i] * (share + (1 - share) / 8), boost::test_tools::tolerance(1e-5));
    kept += scaled[i] == plain[i];
    stretched += scaled[i] * 8 == plain[i];
  }
  BOOST_TEST(kept > 20u);
  BOOST_TEST(stretched > 20u);
  BOOST_TEST(kept + stretched < plain.size());
}

BOOST_AUTO_TEST_CASE(linear_scaling_divides_positions) {
  const auto plain = model::rope_frequencies(16, 10000, {});
  const auto scaled = model::rope_frequencies(16, 10000, model::linear_rope_scaling{4});
  for (size_t i = 0; i < plain.size(); ++i) {
    BOOST_TEST(plain[i] == std::pow(10000.0, -double(i) / 8), boost::test_tools::tolerance(1e-6));
    BOOST_TEST(scaled[i] * 4 == plain[i]);
  }
}

BOOST_AUTO_TEST_CASE(rotation_turns_pairs_as_complex_numbers) {
  const auto x = random_tensor({3, 2, 8}, 4), frequencies = random_tensor({4}, 5).abs();
  auto positions = at::empty({3}, at::TensorOptions(at::kFloat));
  for (int r = 0; r < 3; ++r) positions.mutable_data_ptr<float>()[r] = float(r * 7);
  const auto y = model::rotate(x, model::rotation_at(positions, frequencies));
  for (int64_t r = 0; r < 3; ++r)
    for (int64_t h = 0; h < 2; ++h)
      for (int64_t i = 0; i < 4; ++i) {
        const std::complex<double> pair(value(x, {r, h, i}), value(x, {r, h, i + 4}));
        const auto turned = pair * std::polar(1.0, double(r * 7) * value(frequencies, {i}));
        BOOST_TEST(std::abs(value(y, {r, h, i}) - turned.real()) < 1e-5);
        BOOST_TEST(std::abs(value(y, {r, h, i + 4}) - turned.imag()) < 1e-5);
      }
}

BOOST_AUTO_TEST_CASE(rms_norm_divides_by_the_root_of_the_mean_square) {
  const auto x = random_tensor({2, 5}, 6), weight = random_tensor({5}, 7);
  const auto y = model::rms_norm(x, weight, /*eps=*/0.5);
  for (int64_t r = 0; r < 2; ++r) {
    double squares = 0;
    for (int64_t i = 0; i < 5; ++i) squares += std::pow(value(x, {r, i}), 2);
    for (int64_t i = 0; i < 5; ++i)
      BOOST_TEST(
          std::abs(value(y, {r, i}) - value(x, {r, i}) / std::sqrt(squares / 5 + 0.5) * value(weight, {i})) < 1e-6);
  }
}

BOOST_DATA_TEST_CASE(
    a_linear_layer_is_the_sum_of_products,
    data::make({1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 16}) * data::make({1, 7, 64, 1601}), rows, depth) {
  const int64_t columns = 61;
  const Tensor x = random_tensor({rows, depth}, 8), weight = random_tensor({columns, depth}, 9);
  const Tensor bias = random_tensor({columns}, 10);
  const auto* px = x.const_data_ptr<float>();
  const auto* pw = weight.const_data_ptr<float>();
  const Tensor y = model::linear(x, weight, bias);
  BOOST_TEST_REQUIRE(y.sizes().vec() == (std::vector<int64_t>{rows, columns}), boost::test_tools::per_element());
  double worst = 0;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c) {
      double sum = bias.const_data_ptr<float>()[c];
      for (int64_t d = 0; d < depth; ++d) sum += double(px[r * depth + d]) * double(pw[c * depth + d]);
      worst = std::max(worst, std::abs(sum - y.const_data_ptr<float>()[r * columns + c]));
    }
  BOOST_TEST(worst < 1e-5 * std::sqrt(double(depth)));
}

BOOST_DATA_TEST_CASE(
    a_row_has_the_same_bits_in_any_company, data::make({1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 16, 40}), rows) {
  for (const auto type : {at::kFloat, at::kBFloat16}) {
    const auto x = random_tensor({40, 1601}, 11).to(type), weight = random_tensor({61, 1601}, 12).to(type);
    const auto all = model::linear(x, weight);
    BOOST_TEST(at::equal(model::linear(x.narrow(0, 0, rows), weight), all.narrow(0, 0, rows)));
  }
}

BOOST_AUTO_TEST_CASE(a_linear_layer_in_bfloat16_rounds_its_result_alone) {
  const auto x = random_tensor({3, 77}, 13).to(at::kBFloat16), weight = random_tensor({10, 77}, 14).to(at::kBFloat16);
  const auto y = model::linear(x, weight);
  BOOST_TEST(bool(y.scalar_type() == at::kBFloat16));
  const auto exact = model::linear(x.to(at::kFloat), weight.to(at::kFloat));
  BOOST_TEST(at::equal(y, exact.to(at::kBFloat16)));
}

}  // namespace corolla::tests
