#include "actors/wire/link_core.hpp"

#include <algorithm>
#include <utility>

#include "actors/wire/little_endian.hpp"

namespace corolla::actors::wire {
namespace {

// What a TLS record holds at the most.
constexpr size_t record_bytes = 16 * 1024;

uint32_t body_length(const outgoing& message) {
  return static_cast<uint32_t>(message.body.size() + (announces_data(message.type) ? sizeof(uint32_t) : 0));
}

}  // namespace

link_core::link_core(
    link_rules rules, std::unique_ptr<secure_channel> channel, std::vector<char> first_bytes, link_events& events,
    time_point now)
    : rules_{std::move(rules)},
      channel_{std::move(channel)},
      events_{events},
      reader_{*this},
      streams_{rules_.dialler},
      inbox_{rules_.self.takes},
      liveness_{rules_.silence, now},
      budget_{limits::small_frames_per_second, std::chrono::seconds{10}, now},
      now_{now},
      limit_{now + rules_.unproved_time},
      pending_{std::move(first_bytes)} {}

// -- the network ------------------------------------------------------------------------------------------------------

void link_core::receive(std::span<const std::byte> bytes, time_point now) {
  if (over_) return;
  now_ = now;
  bytes_received_ += bytes.size();
  liveness_.heard(now);
  if (phase_ == phase::handshake || phase_ == phase::greeting) {
    unproved_bytes_ += bytes.size();
    if (unproved_bytes_ > limits::unproved_total_bytes)
      return finish({errc::protocol_violation, "the peer sent too much before it said hello"});
  }
  // We have closed the channel, and wait for the peer to read our goodbye: a socket that is closed with bytes unread
  // would take the goodbye back.
  if (phase_ == phase::ending && channel_->state() == crypto::tls_state::closed) return;
  auto state = channel_->feed(bytes, reader_, pending_);
  if (phase_ == phase::handshake && state != crypto::tls_state::handshaking && channel_->peer()) greet();
  if (state == crypto::tls_state::failed) return finish(phase_ == phase::ending ? why_ : channel_->failure());
  if (state == crypto::tls_state::closed) return disconnect();
  send_grants();
}

void link_core::disconnect() {
  if (phase_ == phase::ending)
    finish(why_);
  else if (phase_ == phase::handshake)
    finish({errc::unreachable, "the connection was closed before the peer had proved who it is"});
  else
    finish({errc::link_lost, "the connection was closed without a goodbye"});
}

bool link_core::pull(std::vector<char>& out) {
  auto before = out.size();
  out.insert(out.end(), pending_.begin(), pending_.end());
  pending_.clear();
  // What is urgent goes out a record at a time, so that the peer decrypts the first while the next is encrypted.
  auto most = [&] { return rest_.cls == priority::step ? 2 * record_bytes : size_t{limits::piece_bytes}; };
  if (!over_ && channel_->state() == crypto::tls_state::open) {
    while (add_record(out) && out.size() - before < most()) {
    }
    // A little that is left of an urgent message does not go alone; one record more, whatever then is left again.
    if (!over_ && is_amid_urgent() && rest_.payload.size() < record_bytes / 4) add_record(out);
  }
  bytes_sent_ += out.size() - before;
  return out.size() > before;
}

bool link_core::has_more() const {
  if (over_ || channel_->state() != crypto::tls_state::open) return !pending_.empty();
  auto owes_goodbye = phase_ == phase::ending && !goodbye_queued_;
  return !pending_.empty() || !rest_.payload.empty() || !outbox_.idle() || owes_goodbye;
}

/// One full record, as far as there is something to fill it.
bool link_core::add_record(std::vector<char>& out) {
  plain_.clear();
  crypto::byte_view plain;
  while (plain_.size() < record_bytes) {
    if (rest_.payload.empty() && !next_piece()) break;
    auto part =
        rest_.payload.first(std::min(rest_.payload.size(), record_bytes - std::min(record_bytes, plain_.size())));
    if (part.size() == record_bytes)
      plain = part;  // without a copy
    else
      plain_.insert(plain_.end(), part.begin(), part.end());
    rest_.payload = rest_.payload.subspan(part.size());
    if (!plain.empty()) break;
  }
  if (plain.empty()) plain = plain_;
  if (plain.empty()) return false;
  if (!channel_->write(plain, out)) {
    finish(channel_->failure());
    return false;
  }
  if (rest_.payload.empty()) piece_sent(std::exchange(rest_, {}));
  if (goodbye_queued_ && outbox_.idle() && rest_.payload.empty()) channel_->close(out);
  return true;
}

/// False: there is nothing that may be sent.
bool link_core::next_piece() {
  piece_sent(std::exchange(rest_, {}));
  auto next = outbox_.next(plain_);
  if (!next && phase_ == phase::ending && !goodbye_queued_) {
    goodbye_queued_ = true;
    report_dropped(outbox_.drop_payloads(), why_);
    std::vector<std::byte> body{static_cast<std::byte>(why_.code)};
    auto text = std::as_bytes(std::span{why_.text}).first(std::min(why_.text.size(), limits::goodbye_text_bytes));
    body.insert(body.end(), text.begin(), text.end());
    outbox_.push_own(frame_type::goodbye, 0, std::move(body));
    next = outbox_.next(plain_);
  }
  if (!next) return false;
  rest_ = std::move(*next);
  return true;
}

void link_core::piece_sent(const outbox::piece& piece) {
  if (piece.ended != 0)
    if (auto* state = streams_.find(piece.ended)) {
      state->end_sent = true;
      if (state->ended_there) forget_ended(piece.ended);
    }
  if (piece.sent == 0) return;
  if (!echoes_.empty()) {
    auto echoed = std::find_if(echoes_.begin(), echoes_.end(), [&](const echo& e) { return e.name == piece.sent; });
    if (echoed != echoes_.end()) {
      inbox_.take(echoed->stream, echoed->bytes);
      echoes_.erase(echoed);
      send_grants();
      return;
    }
  }
  events_.sent(piece.sent);
}

// -- the user ---------------------------------------------------------------------------------------------------------

std::optional<refusal> link_core::check(const outgoing& message, const frame_header& header) const {
  auto size = message.payload.bytes().size();
  if (message.body.size() > limits::body_bytes)
    return refusal{errc::too_large, "a message body beyond " + std::to_string(limits::body_bytes) + " bytes"};
  if (auto fault = fault_of(header); !fault.empty() || !is_message(message.type))
    return refusal{errc::bad_request, std::string{fault.empty() ? "not a message" : fault}};
  if (size > 0 && (!announces_data(message.type) || message.cls == priority::control))
    return refusal{errc::bad_request, "a message with data that its type or class does not carry"};
  if (auto most = std::min(peer_takes_.payload, limits::payload_bytes); size > most)
    return refusal{
        errc::too_large,
        "a message of " + std::to_string(size) + " bytes where the peer takes " + std::to_string(most)};
  if (outbox_.queued_bytes() + size + message.body.size() > rules_.outbound_ceiling)
    return refusal{
        errc::overloaded, std::to_string(outbox_.queued_bytes()) + " bytes are queued towards the peer already"};
  return std::nullopt;
}

std::optional<refusal> link_core::send(outgoing message, outbox::ticket name) {
  if (phase_ != phase::established)
    return refusal{errc::link_lost, phase_ == phase::ending || over_ ? "the link is ending" : "the link is not up yet"};
  auto stream = message.stream;
  auto* state = streams_.find(stream);
  if (message.type == frame_type::end_stream) message.end_stream = true;
  // Whoever ends a stream has no more use for what it still holds.
  if (state != nullptr && state->ended_there && !state->ended_here && message.end_stream) confirm_end(stream);
  if (message.type == frame_type::end_stream) {
    if (state != nullptr && !state->ended_here) end_here(stream, *state);
    if (name != 0) events_.sent(name);
    return std::nullopt;
  }
  if (state != nullptr && (state->ended_here || state->ended_there))
    return refusal{errc::protocol_violation, "the stream has ended"};
  frame_header header{message.type, message.cls, body_length(message), stream};
  if (auto why = check(message, header)) return why;
  auto size = message.payload.bytes().size();
  if (stream != 0 && state == nullptr) {
    if (begins_stream(message.type) && streams_.full())
      return refusal{errc::overloaded, "the peer takes no more open streams"};
    if (auto fault = streams_.open_ours(stream, header); !fault.empty())
      return refusal{errc::protocol_violation, std::string{fault}};
    inbox_.open(stream);
    outbox_.open(stream);
    state = streams_.find(stream);
  }
  auto ends = std::exchange(message.end_stream, false);
  outbox_.push(std::move(message), size > 0 ? name : 0);
  if (size == 0 && name != 0) events_.sent(name);
  if (ends && state != nullptr) end_here(stream, *state);
  return std::nullopt;
}

void link_core::end_here(uint64_t stream, stream_state& state) {
  state.ended_here = true;
  inbox_.close(stream);
  outbox_.end(stream);
}

void link_core::take(uint64_t stream, uint32_t bytes) {
  if (over_) return;
  inbox_.take(stream, bytes);
  auto* state = streams_.find(stream);
  if (state != nullptr && state->ended_there && !state->ended_here && inbox_.held(stream) == 0) confirm_end(stream);
  send_grants();
}

std::optional<refusal> link_core::ping(time_point now) {
  now_ = now;
  if (phase_ != phase::established) return refusal{errc::link_lost, "the link is not up"};
  if (pings_.size() >= limits::pings) return refusal{errc::overloaded, "too many pings are under way"};
  send_ping(/*asked=*/true);
  return std::nullopt;
}

void link_core::send_ping(bool asked) {
  std::vector<std::byte> body;
  append(body, next_token_);
  pings_.push_back({next_token_++, now_, asked});
  outbox_.push_own(frame_type::ping, 0, std::move(body));
}

void link_core::close(refusal why, time_point now) {
  now_ = now;
  begin_ending(std::move(why), /*at_once=*/false);
}

// -- time -------------------------------------------------------------------------------------------------------------

void link_core::tick(time_point now) {
  if (over_) return;
  now_ = now;
  if (phase_ == phase::established) {
    auto verdict = liveness_.judge(now);
    if (verdict == liveness::verdict::dead) {
      auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(rules_.silence).count();
      finish({errc::link_lost, "the peer was silent for " + std::to_string(ms) + " ms"});
    } else if (verdict == liveness::verdict::ask && pings_.empty()) {
      send_ping(/*asked=*/false);
    }
  } else if (now >= limit_) {
    finish(
        phase_ == phase::ending ? why_
                                : refusal{errc::unreachable, "the peer did not prove who it is and say hello in time"});
  }
}

link_core::time_point link_core::deadline() const {
  return phase_ == phase::established ? liveness_.next() : limit_;
}

// -- ending -----------------------------------------------------------------------------------------------------------

void link_core::violate(std::string_view what) {
  begin_ending({errc::protocol_violation, "the peer broke the protocol: " + std::string{what}}, /*at_once=*/true);
}

void link_core::begin_ending(refusal why, bool at_once) {
  if (phase_ == phase::ending || over_) return;
  if (phase_ == phase::handshake) return finish(std::move(why));
  phase_ = phase::ending;
  why_ = std::move(why);
  limit_ = now_ + limits::goodbye_time;
  reader_.discard();
  if (at_once) report_dropped(outbox_.drop_payloads(), why_);
}

void link_core::finish(refusal why) {
  if (over_) return;
  phase_ = phase::over;
  over_ = std::move(why);
  reader_.discard();
  // The last piece of a message has left the queue, and may not have left this process.
  auto cut = std::exchange(rest_, {}).sent;
  if (cut != 0) report_dropped({cut}, *over_);
  report_dropped(outbox_.drop_payloads(), *over_);
}

void link_core::report_dropped(const std::vector<outbox::ticket>& names, const refusal& why) {
  for (auto name : names) {
    auto ours = std::find_if(echoes_.begin(), echoes_.end(), [&](const echo& e) { return e.name == name; });
    if (ours == echoes_.end()) {
      events_.dropped(name, why);
    } else {
      inbox_.take(ours->stream, ours->bytes);
      echoes_.erase(ours);
    }
  }
}

void link_core::send_grants() {
  if (phase_ != phase::established) return;
  for (auto& given : inbox_.collect_grants()) {
    std::vector<std::byte> body;
    append(body, given.bytes);
    outbox_.push_own(frame_type::credit, given.stream, std::move(body));
  }
  if (outbox_.owed_bytes() > limits::owed_bytes)
    begin_ending({errc::overloaded, "the peer asks for more than it reads"}, /*at_once=*/true);
}

traffic link_core::counters() const {
  return {outbox_.queued_bytes(), inbox_.held(),   static_cast<uint32_t>(streams_.size()), bytes_sent_, bytes_received_,
          outbox_.frames(),       reader_.frames()};
}

}  // namespace corolla::actors::wire
