// What a server of a part of a model keeps in memory: its blocks, its cache and its log, and not much else.
#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <string>

#include "golden.hpp"
#include "sparse_model.hpp"
#include "tests/support/temp_dir.hpp"

namespace corolla::tests {

BOOST_AUTO_TEST_CASE(a_server_of_a_quarter_of_a_model_keeps_a_quarter_in_memory) {
  constexpr uint64_t mega = 1u << 20, cache_tokens = 1024, log_bytes = 16 * mega;
  const sparse_model shape;
  const temp_dir folder;
  shape.write(folder / "model");
  swarm s{
      folder / "model",
      {"0:4", "4:16"},
      {"--node.cache_tokens=" + std::to_string(cache_tokens), "--node.log_bytes=" + std::to_string(log_bytes)}};
  const auto cache_bytes = cache_tokens * 4 * 2 * shape.hidden_size * sizeof(float);
  const auto limit = 4 * shape.block_bytes() + cache_bytes + log_bytes + 200 * mega;
  // Otherwise keeping the whole model would pass.
  BOOST_TEST_REQUIRE(limit < shape.num_blocks * shape.block_bytes());

  const auto pid = s.servers()[0].child().pid();
  BOOST_TEST_MESSAGE("ready: " << resident_bytes(pid) / mega << " MB, limit " << limit / mega);
  BOOST_TEST(resident_bytes(pid) <= limit);
  const token_ids prompt(600, 7);
  const auto result = s.run("generate", continuation(prompt, 8));
  BOOST_TEST_REQUIRE(result.end.is(0), result.err);
  BOOST_TEST_MESSAGE("after a text: " << resident_bytes(pid) / mega << " MB");
  BOOST_TEST(resident_bytes(pid) <= limit);
}

}  // namespace corolla::tests
