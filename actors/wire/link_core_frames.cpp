// The half of a link's core that deals with what the peer says.
#include <algorithm>
#include <utility>

#include "actors/printable.hpp"
#include "actors/wire/link_core.hpp"
#include "actors/wire/little_endian.hpp"

namespace corolla::actors::wire {
namespace {

std::string sentence_of(std::span<const std::byte> bytes) {
  const auto* text = reinterpret_cast<const char*>(bytes.data());
  return printable({text, std::min(bytes.size(), limits::goodbye_text_bytes)});
}

std::string versions(const hello& of) {
  return of.min_version == of.max_version
             ? "version " + std::to_string(of.min_version)
             : "versions " + std::to_string(of.min_version) + " to " + std::to_string(of.max_version);
}

}  // namespace

// -- frames -----------------------------------------------------------------------------------------------------------

placement link_core::place(const checked_header& checked) {
  using kind = placement::kind;
  auto& header = checked.header;
  // The channel opened within this very read.
  if (phase_ == phase::handshake) greet();
  if (phase_ == phase::ending) return {kind::discard, {}, {}};
  if (!checked.fault.empty()) {
    violate(checked.fault);
    return {kind::discard, {}, {}};
  }
  if ((header.type == frame_type::hello) != (phase_ == phase::greeting)) {
    violate(phase_ == phase::greeting ? "a frame before the hello" : "a second hello");
    return {kind::discard, {}, {}};
  }
  if (header.length < limits::body_bytes && !budget_.spend(now_)) {
    begin_ending({errc::overloaded, "the peer sent too many small frames"}, /*at_once=*/true);
    return {kind::discard, {}, {}};
  }
  if (is_skippable(header.type)) return {kind::skip, {}, {}};
  auto* state = header.stream == 0 ? nullptr : streams_.find(header.stream);
  if (header.stream != 0 && state == nullptr) {
    if (auto fault = streams_.open_theirs(header.stream, header); !fault.empty()) {
      violate(fault);
      return {kind::discard, {}, {}};
    }
    inbox_.open(header.stream);
    outbox_.open(header.stream);
  } else if (state != nullptr && state->ended_there) {
    violate("a frame on a stream that the sender had ended");
    return {kind::discard, {}, {}};
  }
  return header.type == frame_type::data ? place_data(header, state) : placement{kind::gather, {}, {}};
}

placement link_core::place_data(const frame_header& header, const stream_state* on) {
  // The peer has not heard of the end yet.
  if (on != nullptr && on->ended_here) return {placement::kind::skip, {}, {}};
  auto found = inbox_.place_data(header);
  if (found.fault.empty()) return {placement::kind::direct, found.room, std::move(found.owner)};
  violate(found.fault);
  return {placement::kind::discard, {}, {}};
}

void link_core::frame_read(const frame_header& header, std::span<const std::byte> body) {
  switch (header.type) {
    case frame_type::hello:
      return read_hello(body);
    case frame_type::goodbye:
      return read_goodbye(body);
    case frame_type::ping:
      return outbox_.push_own(frame_type::pong, 0, {body.begin(), body.end()});
    case frame_type::pong:
      return read_pong(body);
    case frame_type::credit:
      if (!outbox_.add_credit(header.stream, load<uint32_t>(body.data()))) violate("more credit than can be");
      return;
    case frame_type::end_stream:
      return read_end(header.stream);
    default:
      return read_message(header, body);
  }
}

void link_core::read_message(const frame_header& header, std::span<const std::byte> body) {
  auto* state = header.stream == 0 ? nullptr : streams_.find(header.stream);
  if (state != nullptr && state->ended_here) return;
  if (header.type == frame_type::data) {
    if (auto whole = inbox_.data_filled(header, now_)) deliver(std::move(*whole));
    return;
  }
  auto begun = inbox_.begin(header, body);
  if (!begun.fault.empty()) return violate(begun.fault);
  if (begun.whole) deliver(std::move(*begun.whole));
}

void link_core::deliver(incoming message) {
  if (message.type == frame_type::bench_echo && message.stream % 2 == (rules_.dialler ? 0 : 1))
    return rules_.echo ? send_back(std::move(message)) : violate("bench_echo where nothing is echoed");
  events_.received(std::move(message));
}

void link_core::send_back(incoming message) {
  // Tickets of the link itself: the user's are given by the user, who counts from 1.
  auto name = ~outbox::ticket{0} - next_token_++;
  auto bytes = static_cast<uint32_t>(message.payload ? message.payload->size() : 0);
  outgoing answer{message.type, message.cls, message.stream, std::move(message.body), {}, false};
  if (bytes > 0) {
    answer.payload =
        model::tensor{model::dtype::uint8, {bytes}, std::span<const std::byte>{*message.payload}, message.payload};
    echoes_.push_back({name, message.stream, bytes});
  }
  outbox_.push(std::move(answer), bytes > 0 ? name : 0);
}

// -- greeting and ending ----------------------------------------------------------------------------------------------

void link_core::greet() {
  phase_ = phase::greeting;
  outbox_.push_own(frame_type::hello, 0, encode(rules_.self));
}

void link_core::read_hello(std::span<const std::byte> body) {
  auto said = decode_hello(body);
  if (!said) return violate("a hello that makes no sense");
  auto refuse = [&](refusal why) { begin_ending(std::move(why), /*at_once=*/true); };
  if (!common_version(rules_.self, *said))
    return refuse(
        {errc::version_mismatch, "no protocol version in common: this node (" + rules_.self.software + ") speaks " +
                                     versions(rules_.self) + ", the other (" + said->software + ") " +
                                     versions(*said)});
  if (auto why = rules_.judge(*channel_->peer(), *said)) return refuse(std::move(*why));
  peer_takes_ = said->takes;
  outbox_.set_limits(said->takes);
  streams_.set_limits(said->takes.streams, rules_.self.takes.streams);
  phase_ = phase::established;
  events_.established(*channel_->peer(), *said);
}

void link_core::read_goodbye(std::span<const std::byte> body) {
  auto number = std::to_integer<uint8_t>(body[0]);
  auto known = number >= static_cast<uint8_t>(first_errc) && number <= static_cast<uint8_t>(last_errc);
  finish({known ? static_cast<errc>(number) : errc::protocol_violation, sentence_of(body.subspan(1))});
}

void link_core::read_pong(std::span<const std::byte> body) {
  if (pings_.empty() || pings_.front().token != load<uint64_t>(body.data()))
    return violate("a pong that answers no ping");
  auto ping = pings_.front();
  pings_.pop_front();
  events_.measured(std::chrono::duration_cast<std::chrono::microseconds>(now_ - ping.at), ping.asked);
}

// -- streams ----------------------------------------------------------------------------------------------------------

void link_core::read_end(uint64_t stream) {
  auto& state = *streams_.find(stream);
  if (!state.ended_here && inbox_.is_amid(stream)) return violate("the end of a stream within a message");
  state.ended_there = true;
  if (state.ended_here) {
    // The confirmation, or an end that crossed with ours.
    if (state.end_sent) {
      forget_ended(stream);
    } else {
      report_dropped(outbox_.close(stream), {errc::cancelled, "the peer ended the stream"});
      outbox_.push_own(frame_type::end_stream, stream, {});
    }
    return;
  }
  report_dropped(outbox_.close(stream), {errc::cancelled, "the peer ended the stream"});
  events_.ended(stream);
  if (inbox_.held(stream) == 0) confirm_end(stream);
}

void link_core::confirm_end(uint64_t stream) {
  streams_.find(stream)->ended_here = true;
  inbox_.close(stream);
  outbox_.push_own(frame_type::end_stream, stream, {});
}

void link_core::forget_ended(uint64_t stream) {
  outbox_.close(stream);
  streams_.erase(stream);
}

}  // namespace corolla::actors::wire
