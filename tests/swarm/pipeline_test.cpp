// A prompt goes down the chain in chunks: hops compute different chunks of it at the same time.
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <utility>
#include <vector>

#include "runtime/client.hpp"
#include "tests/support/swarm.hpp"
#include "tests/support/temp_dir.hpp"

namespace corolla::tests {

namespace {

using std::chrono::steady_clock;

constexpr uint32_t chunk_tokens = 64, num_chunks = 16;

struct interval {
  steady_clock::time_point begin, end;
};

/// 24 small blocks: a chunk takes each hop some milliseconds, much longer than the messages about it.
class deep_swarm {
 public:
  deep_swarm() : servers_{make_model(folder_ / "model"), {"0:12", "12:24"}, {"--node.cache_tokens=2048"}} {}

  runtime::generated generate(bool pipeline) const {
    runtime::client_options options;
    options.model = servers_.model();
    options.peers = {servers_.address()};
    options.chunk_tokens = chunk_tokens;
    options.pipeline = pipeline;
    model::generation_request request;
    for (uint32_t i = 0; i < num_chunks * chunk_tokens; ++i) request.prompt.push_back(i % 500 + 4);
    request.max_new_tokens = 1;
    return runtime::client::make(options)->generate(request);
  }

 private:
  static std::filesystem::path make_model(const std::filesystem::path& path) {
    const auto made = run_corolla({"make-model", "bloom-560m", path, "--small"});
    if (!made.end.is(0)) throw std::runtime_error(made.err);
    return path;
  }

  temp_dir folder_;
  swarm servers_;
};

/// When each hop computed each chunk, at the latest: what it says of it has taken some time to come here.
std::map<std::pair<uint32_t, uint64_t>, interval> intervals(const std::vector<runtime::step_trace>& trace) {
  std::map<std::pair<uint32_t, uint64_t>, interval> result;
  for (const auto& event : trace) result[{event.hop, event.seq}] = {event.at - event.computing, event.at};
  return result;
}

/// Chunks that the second hop computed while the first computed the next one.
int count_overlaps(const runtime::generated& result) {
  const auto when = intervals(result.trace);
  BOOST_TEST_REQUIRE(when.size() == 2 * num_chunks);
  int overlaps = 0;
  for (uint64_t seq = 1; seq < num_chunks; ++seq) {
    const auto first = when.at({0, seq + 1}), second = when.at({1, seq});
    if (first.begin < second.end && second.begin < first.end) ++overlaps;
  }
  return overlaps;
}

}  // namespace

BOOST_AUTO_TEST_CASE(two_hops_compute_different_chunks_of_a_prompt_at_the_same_time) {
  const deep_swarm s;
  const auto piped = s.generate(/*pipeline=*/true);
  const auto serial = s.generate(/*pipeline=*/false);
  const auto overlaps = count_overlaps(piped);
  BOOST_TEST_MESSAGE("overlaps: " << overlaps << " of " << num_chunks - 1);
  BOOST_TEST(overlaps > 0);
  BOOST_TEST(count_overlaps(serial) == 0);
  BOOST_TEST(piped.ids == serial.ids, boost::test_tools::per_element());
}

}  // namespace corolla::tests
