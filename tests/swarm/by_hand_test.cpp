// A client that speaks the wire by hand: what a server refuses, in which words, and who goes on.
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "actors/wire/convert.hpp"
#include "actors/wire/socket.hpp"
#include "model/checkpoint.hpp"
#include "tests/support/manual_peer.hpp"
#include "tests/support/swarm.hpp"

namespace corolla::tests {

namespace {

using namespace actors;
using namespace actors::wire;
using model::tensor;

/// A server of the whole tiny llama.
struct whole_llama {
  server node{tiny_model("llama")};
  std::shared_ptr<const model::checkpoint> source = model::checkpoint::open(tiny_model("llama"));
  model::block_range blocks{0, model::num_blocks(*source)};
  int64_t hidden_size = source->config().at("hidden_size").get<int64_t>();

  whole_llama() { node.wait_until_ready(); }
};

whole_llama& served() {
  static whole_llama started;
  return started;
}

/// A peer without a record, which the server has seen once: from the address at which it listens by now.
class seen_once {
 public:
  seen_once() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto door = bound_to(address);
    auto way = bound_to(address);
    address.sin_port = htons(served().node.port());
    const auto* plain = reinterpret_cast<const sockaddr*>(&address);
    BOOST_TEST_REQUIRE(::connect(way.get(), plain, sizeof address) == 0);
    BOOST_TEST_REQUIRE(::listen(door.get(), 8) == 0);
    BOOST_TEST_REQUIRE(::fcntl(door.get(), F_SETFL, O_NONBLOCK) == 0);
    BOOST_TEST_REQUIRE(::fcntl(way.get(), F_SETFL, O_NONBLOCK) == 0);
    door_ = std::move(door);
    link_.emplace(way.release(), self_, /*dialled=*/true);
    BOOST_TEST_REQUIRE(link_->greet());
  }
  peer_id id() const { return self_.identity.peer(); }
  void leave() { link_.reset(); }
  /// Nobody has knocked so far.
  bool is_left_alone() const { return ::accept(door_.get(), nullptr, nullptr) < 0 && errno == EAGAIN; }

 private:
  /// The kernel's choice where no port is named, which then is.
  static descriptor bound_to(sockaddr_in& address) {
    descriptor socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const int on = 1;
    ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    auto* plain = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof address;
    BOOST_TEST_REQUIRE(::bind(socket.get(), plain, size) == 0);
    BOOST_TEST_REQUIRE(::getsockname(socket.get(), plain, &size) == 0);
    return socket;
  }

  node_end self_;
  descriptor door_;
  std::optional<manual_peer> link_;
};

struct hand {
  hand() { BOOST_TEST_REQUIRE(peer.greet()); }

  static int connected() {
    auto socket = connect_to("127.0.0.1", served().node.port(), patience);
    return std::get<descriptor>(socket).release();
  }

  /// A session over all blocks, from this peer and back to it.
  open_request session() const {
    open_request request;
    request.session = session_id::random();
    request.model = served().source->digests({}).model;
    request.blocks = served().blocks;
    request.blocks_digest = model::of_blocks(served().source->digests({}), request.blocks);
    request.max_length = 16;
    request.upstream = request.next = self.identity.peer();
    request.next_session = session_id::random();
    return request;
  }

  template <class Body>
  void send(uint64_t stream, frame_type type, const Body& body, tensor payload = {}) {
    outgoing message;
    message.type = type;
    message.cls = type == frame_type::step ? priority::step : priority::control;
    message.stream = stream;
    message.body = encode_body(body);
    message.payload = std::move(payload);
    BOOST_TEST_REQUIRE(!peer.core.send(std::move(message), 1).has_value());
  }
  void send_step(uint64_t stream, const step& s) { send(stream, frame_type::step, to_wire(s), s.hidden); }

  /// The next message of this type.
  incoming wait_for(frame_type type) {
    const auto is_it = [&](const incoming& m) { return m.type == type; };
    auto& messages = peer.record.messages;
    BOOST_TEST_REQUIRE(peer.run_until([&] { return std::any_of(messages.begin(), messages.end(), is_it); }));
    const auto found = std::find_if(messages.begin(), messages.end(), is_it);
    auto message = std::move(*found);
    messages.erase(found);
    return message;
  }

  void expect_refused(uint64_t stream, errc code, const std::string& sentence = {}) {
    const auto message = wait_for(frame_type::refused);
    const auto body = decode_body<refused_body>(message.body).value();
    BOOST_TEST(message.stream == stream);
    BOOST_TEST((body.code.value == code), body.text.value);
    if (!sentence.empty()) BOOST_TEST(body.text.value == sentence);
  }
  void expect_step_refused(uint64_t stream, uint64_t seq, errc code) {
    const auto message = wait_for(frame_type::step_refused);
    const auto body = decode_body<step_refused_body>(message.body).value();
    BOOST_TEST(message.stream == stream);
    BOOST_TEST(body.seq == seq);
    BOOST_TEST((body.code.value == code), body.text.value);
  }
  void expect_failed(uint64_t stream, errc code) {
    const auto message = wait_for(frame_type::failed);
    const auto body = decode_body<failed_body>(message.body).value();
    BOOST_TEST(message.stream == stream);
    BOOST_TEST((body.code.value == code), body.text.value);
  }

  /// Opens the session on `stream` and attaches on the one after it.
  void open(uint64_t stream, const open_request& request) {
    send(stream, frame_type::open, to_wire(request));
    wait_for(frame_type::opened);
    send(stream + 2, frame_type::attach, attach_body{{request.session.bytes}});
  }

  static step one_token(uint32_t position = 0, uint64_t seq = 1) {
    step s;
    s.epoch = 1;
    s.seq = seq;
    s.position = position;
    s.hidden = tensor::of<float>({1, 1, served().hidden_size}, std::vector<float>(served().hidden_size, 0.5f));
    return s;
  }

  node_end self;
  manual_peer peer{connected(), self, /*dialled=*/true};
};

/// Somebody who does nothing wrong, before and after.
void check_others_go_on() {
  const auto result = run_corolla(
      {"generate", "--model", tiny_model("llama"), "--peers", served().node.address(), "--ids", "5,6",
       "--max-new-tokens", "3"});
  BOOST_TEST(result.end.is(0), result.err);
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_step_is_computed_and_comes_back, hand) {
  const auto request = session();
  open(1, request);
  send_step(3, one_token());
  const auto output = wait_for(frame_type::step);
  const auto body = decode_body<step_body>(output.body).value();
  BOOST_TEST(body.seq == 1u);
  BOOST_TEST(output.payload->size() == static_cast<size_t>(served().hidden_size) * sizeof(float));
}

BOOST_FIXTURE_TEST_CASE(an_open_that_names_a_peer_without_a_record_is_refused_and_nothing_is_dialled, hand) {
  auto request = session();
  request.next = crypto::identity::generate().peer();
  send(1, frame_type::open, to_wire(request));
  expect_refused(1, errc::unknown_peer);

  seen_once somebody;
  request = session();
  request.next = somebody.id();
  open(3, request);  // through the link that is up
  somebody.leave();
  wait_for(frame_type::edge_lost);
  request.session = session_id::random();
  send(7, frame_type::open, to_wire(request));
  expect_refused(7, errc::unknown_peer);
  BOOST_TEST(somebody.is_left_alone());
  check_others_go_on();
  BOOST_TEST(somebody.is_left_alone());
}

BOOST_FIXTURE_TEST_CASE(lengths_batches_and_blocks_that_do_not_fit_are_refused, hand) {
  auto too_long = session(), too_wide = session(), elsewhere = session(), other = session();
  too_long.max_length = 1u << 19;
  too_wide.batch = 64;
  too_wide.max_length = 1u << 10;
  elsewhere.blocks.end += 1;
  other.blocks_digest[0] ^= 1;
  send(1, frame_type::open, to_wire(too_long));
  expect_refused(1, errc::too_large);
  send(3, frame_type::open, to_wire(too_wide));
  expect_refused(3, errc::too_large);
  send(5, frame_type::open, to_wire(elsewhere));
  expect_refused(5, errc::blocks_mismatch);
  send(7, frame_type::open, to_wire(other));
  expect_refused(7, errc::model_mismatch);
  check_others_go_on();
}

BOOST_FIXTURE_TEST_CASE(a_session_beyond_the_models_positions_is_refused_with_both_numbers, hand) {
  auto too_long = session(), whole = session();
  too_long.max_length = 257;
  whole.max_length = 256;
  send(1, frame_type::open, to_wire(too_long));
  expect_refused(1, errc::too_large, "max_length 257, and the model has 256 positions");
  open(3, whole);
  send_step(5, one_token());
  wait_for(frame_type::step);
}

BOOST_FIXTURE_TEST_CASE(steps_for_unknown_and_foreign_sessions_are_refused, hand) {
  send(1, frame_type::attach, attach_body{{session_id::random().bytes}});
  expect_step_refused(1, 0, errc::unknown_session);
  auto foreign = session();
  foreign.upstream = crypto::identity::generate().peer();
  open(3, foreign);
  send_step(5, one_token());
  expect_step_refused(5, 1, errc::not_yours);
  check_others_go_on();
}

BOOST_FIXTURE_TEST_CASE(positions_and_shapes_that_do_not_fit_are_refused_and_the_session_goes_on, hand) {
  open(1, session());
  send_step(3, one_token(/*position=*/7));
  expect_step_refused(3, 1, errc::position_mismatch);
  auto wide = one_token();
  wide.hidden = tensor::of<float>({1, 1, 3}, std::vector<float>(3, 1));
  send_step(3, wide);
  expect_step_refused(3, 1, errc::bad_tensor);
  auto whole = one_token();
  whole.hidden = tensor::of<int64_t>({1, 1, served().hidden_size}, std::vector<int64_t>(served().hidden_size, 1));
  auto body = to_wire(one_token());
  send(3, frame_type::step, body, whole.hidden);  // twice the bytes that it announces as float32
  expect_step_refused(3, 1, errc::bad_tensor);
  send_step(3, one_token());
  wait_for(frame_type::step);
  check_others_go_on();
}

BOOST_AUTO_TEST_CASE(a_number_that_is_not_finite_ends_its_own_session) {
  for (const auto bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    hand guest;
    auto s = hand::one_token();
    std::vector<float> values(served().hidden_size, 0.5f);
    values.back() = bad;
    s.hidden = tensor::of<float>({1, 1, served().hidden_size}, values);
    guest.open(1, guest.session());
    guest.send_step(3, s);
    guest.expect_failed(1, errc::not_finite);
  }
  check_others_go_on();
}

}  // namespace corolla::tests
