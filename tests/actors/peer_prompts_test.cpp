// Deep prompts over the wire: a guest whose link the test plays, at a server of a virtual swarm.
#include <cstring>
#include <limits>
#include <numeric>

#include <caf/send.hpp>

#include "actors/wire/convert.hpp"
#include "tests/actors/route_fixture.hpp"
#include "tests/support/played_link.hpp"

using namespace corolla;
using namespace corolla::tests;
using model::tensor;
using wire::frame_type;

namespace {

constexpr auto hidden_size = virtual_swarm::hidden_size;
constexpr uint64_t opens = 1, steps = 3;  // streams of the guest

struct guest {
  explicit guest(std::function<void(node_settings&)> adjust = {}) {
    swarm.adjust = std::move(adjust);
    server = swarm.add({0, virtual_swarm::num_blocks});
    link_info info;
    info.peer.bytes.fill(77);
    auto& system = swarm.time().system();
    link = system.spawn(recording_link, told);
    peer = wire::spawn_peer(system, link, info, swarm.served(server));
    swarm.time().settle();
  }
  ~guest() { leave(); }
  void leave() {
    caf::anon_send_exit(link, caf::exit_reason::kill);
    swarm.time().settle();
  }

  open_request session(uint32_t prompt_tokens) const {
    open_request request;
    request.session = session_id::random();
    request.blocks = {0, virtual_swarm::num_blocks};
    request.blocks_digest = model::of_blocks(virtual_swarm::digests(), request.blocks);
    request.max_length = 16;
    request.upstream.bytes.fill(77);
    request.next = request.upstream;
    request.prompt_tokens = prompt_tokens;
    return request;
  }

  template <class Body>
  void comes(uint64_t stream, frame_type type, const Body& body, const tensor& data = {}) {
    wire::incoming message;
    message.type = type;
    message.stream = stream;
    message.body = wire::encode_body(body);
    if (const auto bytes = data.bytes(); !bytes.empty()) {
      auto payload = std::make_shared<wire::payload_buffer>(bytes.size());
      std::memcpy(payload->data(), bytes.data(), bytes.size());
      message.payload = std::move(payload);
    }
    caf::anon_send(peer, wire::frame_atom::value, std::move(message));
  }
  /// The latest of the server's frames of a type, on one of the guest's streams.
  template <class Body>
  Body told_last(uint64_t stream, frame_type type) {
    swarm.time().settle();
    const auto is_it = [&](const auto& frame) { return frame.type == type && frame.stream == stream; };
    const auto found = std::find_if(told->frames.rbegin(), told->frames.rend(), is_it);
    BOOST_REQUIRE(found != told->frames.rend());
    return wire::decode_body<Body>(found->body).value();
  }
  void open(const open_request& request, uint64_t stream = opens) {
    comes(stream, frame_type::open, wire::to_wire(request));
    told_last<wire::opened_body>(stream, frame_type::opened);
    comes(stream + 2, frame_type::attach, wire::attach_body{{request.session.bytes}});
    swarm.time().settle();
  }
  errc refusal(const open_request& request) {
    comes(opens, frame_type::open, wire::to_wire(request));
    const auto refused = told_last<wire::refused_body>(opens, frame_type::refused);
    BOOST_TEST(!refused.text.value.empty());
    return refused.code.value;
  }
  /// Answered with the tag that was given, and all its bytes were consumed.
  wire::answer_body give(const tensor& prompts, uint64_t stream = opens) {
    const auto before = told->consumed[stream];
    comes(stream, frame_type::prompts, wire::to_wire(prompts, ++tag), prompts);
    const auto answer = told_last<wire::answer_body>(stream, frame_type::answer);
    BOOST_TEST(answer.tag == tag);
    BOOST_TEST(told->consumed[stream] == before + prompts.bytes().size());
    return answer;
  }
  bool is_taken(const tensor& prompts, uint64_t stream = opens) { return give(prompts, stream).done.value == 1; }
  bool is_refused(const tensor& prompts, errc code) {
    const auto answer = give(prompts);
    return answer.done.value == 0 && answer.code.value == code && !answer.text.value.empty();
  }
  step one_token() const {
    step s;
    s.epoch = s.seq = 1;
    s.hidden = tensor::of<float>({1, 1, hidden_size}, std::vector<float>(hidden_size, 1));
    return s;
  }
  void send(const step& s, uint64_t stream = steps) {
    comes(stream, frame_type::step, wire::to_wire(s), s.hidden);
    swarm.time().settle();
  }
  /// What came back.
  std::vector<tensor> outputs() const {
    std::vector<tensor> result;
    for (const auto& frame : told->frames)
      if (frame.type == frame_type::step) result.push_back(frame.payload);
    return result;
  }
  uint64_t log_room() { return swarm.status(server).log_room; }

  virtual_swarm swarm;
  size_t server = 0;
  std::shared_ptr<given> told = std::make_shared<given>();
  wire::link_actor link;
  wire::peer_and_sink_actor peer;
  uint64_t tag = 0;
};

tensor prompts_for(uint32_t tokens, float last = 3) {
  const model::shape shape{virtual_swarm::num_blocks, tokens, hidden_size};
  std::vector<float> values(static_cast<size_t>(*model::num_elements(shape)));
  std::iota(values.begin(), values.end(), 1.0f);
  values.back() = last;
  return tensor::of<float>(shape, values);
}

constexpr uint64_t row_bytes = hidden_size * sizeof(float);

}  // namespace

BOOST_AUTO_TEST_CASE(prompts_are_answered_once_and_their_credit_and_room_are_given_back) {
  guest g;
  g.open(g.session(/*prompt_tokens=*/2));
  BOOST_TEST(g.log_room() == 16 * row_bytes + virtual_swarm::num_blocks * 2 * row_bytes);
  BOOST_TEST(g.is_taken(prompts_for(2)));
  g.send(g.one_token());
  BOOST_REQUIRE_EQUAL(g.outputs().size(), 1u);
  BOOST_TEST(g.told->consumed[steps] == row_bytes);
  BOOST_TEST(g.is_refused(prompts_for(2), errc::bad_request));  // a second time

  g.open(g.session(/*prompt_tokens=*/0), /*stream=*/7);
  g.send(g.one_token(), /*stream=*/9);
  BOOST_REQUIRE_EQUAL(g.outputs().size(), 2u);
  const auto with = g.outputs()[0].as<float>(), without = g.outputs()[1].as<float>();
  BOOST_TEST(!std::equal(with.begin(), with.end(), without.begin(), without.end()));

  for (const auto stream : {opens, uint64_t{7}}) g.comes(stream, frame_type::close, wire::close_body{});
  g.swarm.time().settle();
  BOOST_TEST(g.log_room() == 0u);
  BOOST_TEST(g.swarm.used_tokens(g.server) == 0u);
  // What crosses the end is answered, and costs nothing.
  BOOST_TEST(g.is_refused(prompts_for(2), errc::unknown_session));
  BOOST_TEST(g.told->fault == "");
}

BOOST_AUTO_TEST_CASE(the_room_of_prompts_is_given_back_when_the_link_ends) {
  guest g;
  g.open(g.session(2));
  g.is_taken(prompts_for(2));
  BOOST_TEST(g.log_room() > 0u);
  g.leave();
  BOOST_TEST(g.log_room() == 0u);
}

BOOST_AUTO_TEST_CASE(a_step_before_its_prompts_is_refused_and_the_session_goes_on) {
  guest g;
  g.open(g.session(2));
  g.send(g.one_token());
  const auto refused = g.told_last<wire::step_refused_body>(steps, frame_type::step_refused);
  BOOST_TEST((refused.code.value == errc::protocol_violation));
  BOOST_TEST(refused.seq == 1u);
  BOOST_TEST(g.told->consumed[steps] == row_bytes);
  BOOST_TEST(g.is_taken(prompts_for(2)));
  g.send(g.one_token());
  BOOST_TEST(g.outputs().size() == 1u);
}

BOOST_AUTO_TEST_CASE(prompts_that_do_not_fit_are_refused_and_the_session_waits_on) {
  guest g;
  g.open(g.session(2));
  const auto right = prompts_for(2);
  BOOST_TEST(g.is_refused(prompts_for(1), errc::bad_tensor));
  BOOST_TEST(g.is_refused(prompts_for(3), errc::bad_tensor));
  BOOST_TEST(g.is_refused(right.reshaped({2, 6, hidden_size}), errc::bad_tensor));
  // The body says another size than the data has.
  g.comes(opens, frame_type::prompts, wire::to_wire(right, /*tag=*/90), prompts_for(1));
  const auto answer = g.told_last<wire::answer_body>(opens, frame_type::answer);
  BOOST_TEST(answer.tag == 90u);
  BOOST_TEST((answer.code.value == errc::bad_tensor));
  BOOST_TEST(g.is_taken(right));
  uint64_t all = 0;
  for (const auto& shape : {right, prompts_for(1), prompts_for(3), right, prompts_for(1)}) all += shape.bytes().size();
  BOOST_TEST(g.told->consumed[opens] == all);
}

BOOST_AUTO_TEST_CASE(prompts_of_a_session_that_announced_none_are_refused) {
  guest g;
  g.open(g.session(0));
  BOOST_TEST(g.is_refused(prompts_for(2), errc::bad_request));
  g.send(g.one_token());
  BOOST_TEST(g.outputs().size() == 1u);
}

BOOST_AUTO_TEST_CASE(prompts_before_the_session_is_open_end_the_link) {
  guest g;
  g.comes(opens, frame_type::open, wire::to_wire(g.session(2)));
  g.comes(opens, frame_type::prompts, wire::to_wire(prompts_for(2), 1), prompts_for(2));
  g.swarm.time().settle();
  BOOST_TEST(g.told->fault == "a request to a session that is not open yet");
}

BOOST_AUTO_TEST_CASE(prompts_that_cannot_be_read_end_the_link) {
  guest g;
  g.open(g.session(2));
  g.comes(opens, frame_type::prompts, wire::status_body{}, prompts_for(2));
  g.swarm.time().settle();
  BOOST_TEST(g.told->fault == "deep prompts that cannot be read");
}

BOOST_AUTO_TEST_CASE(prompts_that_are_not_finite_end_their_session_with_a_sentence_and_others_go_on) {
  guest g;
  g.open(g.session(2));
  g.open(g.session(2), /*stream=*/7);
  BOOST_TEST(g.is_taken(prompts_for(2), /*stream=*/7));
  BOOST_TEST(g.is_refused(prompts_for(2, std::numeric_limits<float>::quiet_NaN()), errc::not_finite));
  const auto failed = g.told_last<wire::failed_body>(opens, frame_type::failed);
  BOOST_TEST((failed.code.value == errc::not_finite));
  BOOST_TEST(failed.text.value == "blocks 0:6: a deep prompt is not a finite number");
  BOOST_TEST(g.log_room() == 16 * row_bytes + virtual_swarm::num_blocks * 2 * row_bytes);
  g.send(g.one_token(), /*stream=*/9);
  BOOST_TEST(g.outputs().size() == 1u);
}

BOOST_AUTO_TEST_CASE(an_open_whose_prompts_are_longer_than_the_session_is_refused) {
  guest g;
  BOOST_TEST((g.refusal(g.session(17)) == errc::too_large));
  BOOST_TEST((g.refusal(g.session(std::numeric_limits<uint32_t>::max())) == errc::too_large));
  BOOST_TEST(g.log_room() == 0u);
  g.open(g.session(16), /*stream=*/7);
}

BOOST_AUTO_TEST_CASE(an_open_whose_prompts_are_larger_than_a_message_is_refused) {
  // Six blocks of 16 MiB: of the four, that is 64 MiB, that fit, two are too many.
  constexpr uint32_t block_bytes = wire::limits::payload_bytes / 4;
  guest g{[](node_settings& settings) { settings.served->hidden_size = block_bytes / sizeof(float) / 2; }};
  auto request = g.session(/*prompt_tokens=*/2);
  request.max_length = 2;
  BOOST_TEST((g.refusal(request) == errc::too_large));
  request.blocks = {0, 4};
  request.blocks_digest = model::of_blocks(virtual_swarm::digests(), request.blocks);
  g.open(request, /*stream=*/7);
}

BOOST_AUTO_TEST_CASE(an_open_whose_prompts_find_no_room_is_refused) {
  constexpr uint64_t log = 16 * row_bytes, two = virtual_swarm::num_blocks * 2 * row_bytes;
  guest g{[](node_settings& settings) { settings.log_bytes = log + two; }};
  BOOST_TEST((g.refusal(g.session(3)) == errc::no_room));
  auto elsewhere = g.session(2);
  elsewhere.next = {};
  BOOST_TEST((g.refusal(elsewhere) == errc::unknown_peer));
  BOOST_TEST(g.log_room() == 0u);
  g.open(g.session(2), /*stream=*/7);
  BOOST_TEST(g.log_room() == log + two);
}
