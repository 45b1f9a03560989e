// What `bench recovery --grid` compares with, and what it counts.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runtime/bench_swarm.hpp"
#include "runtime/benches.hpp"

namespace corolla::runtime {

/// Of a route in the grid.
inline constexpr uint32_t grid_hops = 3;

/// What must come of a prompt, and who says so.
struct grid_text {
  std::vector<int64_t> prompt, ids;
  std::string name;
  model::tensor deep_prompts{};

  model::generation_request request() const { return bench_request(prompt, static_cast<uint32_t>(ids.size())); }
};

/// A text whose margins are known to tell, as tests/golden/make_long_reference.py writes them; else the shorter one
/// that every model in tests/golden/tiny has; else what one process makes of some prompt.
grid_text short_text(const bench_settings& settings);
/// The same behind a prompt of 300 tokens.
grid_text long_text(const bench_settings& settings);
/// The same with deep prompts, for models that have a golden one.
std::optional<grid_text> text_with_deep_prompts(const bench_settings& settings);

/// At most `most` of `all`, evenly.
std::vector<size_t> some_of(const std::vector<size_t>& all, uint64_t most);
/// New tokens that have come when a server is struck: every third, without those at which the tests strike.
std::vector<size_t> grid_moments(size_t tokens, uint64_t most);

/// Of one kind of fault.
struct grid_tally {
  size_t strikes = 0, wrong = 0, mended = 0;
  std::chrono::duration<double, std::milli> longest{0};  ///< from a strike to the next token

  void add(const grid_text& expected, const generated& got, bool was_mended, std::chrono::duration<double> pause);
  /// `least`: so many strikes are felt for certain.  Says on standard error that this kind is done.
  void add_rows(
      std::vector<bench_row>& rows, const std::string& kind, const grid_text& expected,
      std::optional<size_t> least) const;
};

/// One of the recoveries took these blocks' place.
bool replaced(const generated& result, const route_hop& victim);

}  // namespace corolla::runtime
