// What a node keeps in memory: of a part of a model its blocks, its cache and its log, of links those that are up, and
// not much else.
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>

#include "actors/wire/messages.hpp"
#include "golden.hpp"
#include "sparse_model.hpp"
#include "tests/support/manual_peer.hpp"
#include "tests/support/temp_dir.hpp"

namespace corolla::tests {

namespace {

using namespace actors::wire;

/// Somebody who asks for all records, gets them, and is gone without a word.
void come_and_go(uint16_t port) {
  const node_end self;
  auto socket = connect_to("127.0.0.1", port, patience);
  manual_peer peer{std::get<descriptor>(socket).release(), self, /*dialled=*/true};
  BOOST_TEST_REQUIRE(peer.greet());
  outgoing question;
  question.type = frame_type::snapshot;
  question.body = encode_body(snapshot_body{});
  BOOST_TEST_REQUIRE(!peer.core.send(std::move(question), 1).has_value());
  BOOST_TEST_REQUIRE(peer.run_until([&] {
    return std::ranges::any_of(peer.record.messages, [](auto& m) { return m.type == frame_type::snapshot_end; });
  }));
}

}  // namespace

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

BOOST_AUTO_TEST_CASE(links_that_came_and_went_leave_nothing_behind) {
  constexpr uint64_t links = 1000, little = 1u << 20;
  server node{tiny_model("llama")};
  node.wait_until_ready();
  const auto memory = [&] { return resident_bytes(node.child().pid()); };
  // A link is freed with its last tick, 5 s after its beginning: until then there are more of them each time.
  const auto until = std::chrono::steady_clock::now() + patience;
  uint64_t before = 0, after = memory();
  do {
    before = after;
    for (uint64_t i = 0; i < links; ++i) come_and_go(node.port());
    after = memory();
    BOOST_TEST_MESSAGE("memory before " << (before >> 10) << " kB, after " << (after >> 10) << " kB");
  } while (after > before + little && std::chrono::steady_clock::now() < until);
  BOOST_TEST(after <= before + little);
}

}  // namespace corolla::tests
