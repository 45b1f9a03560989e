// What a link does between its core and the actors around it, whatever carries its bytes: a socket in a node, messages
// in tests.  It keeps whom it owes an answer, and sees to it that all of them get one.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>

#include <caf/result.hpp>
#include <caf/system_messages.hpp>
#include <caf/typed_response_promise.hpp>

#include "actors/alarm.hpp"
#include "actors/wire/link.hpp"
#include "actors/wire/link_core.hpp"

namespace corolla::actors::wire {

/// `Self` points to the actor, typed with all messages of a link and tick_atom.  A `Connection` has `wr_buf`, `flush`,
/// `busy`, `unsent`, `yield`, `has_unread` and `set_read_size` as wire::scribe has.
template <class Self, class Connection>
class link_driver : private link_events {
 public:
  explicit link_driver(Self self) : self_{self} {}
  link_driver(const link_driver&) = delete;
  link_driver& operator=(const link_driver&) = delete;

  void begin(
      link_start start, std::unique_ptr<secure_channel> channel, std::vector<char> first_bytes,
      Connection& connection) {
    start_ = std::move(start);
    info_.remote = start_.remote;
    connection_ = &connection;
    link_events& events = *this;
    core_ = std::make_unique<link_core>(rules(), std::move(channel), std::move(first_bytes), events, now());
    pump();
  }

  caf::result<taken> send(outgoing& message) {
    auto carries_data = !message.payload.bytes().empty();
    auto ticket = carries_data ? ++tickets_ : outbox::ticket{0};
    if (auto why = core_->send(std::move(message), ticket)) return make_error(why->code, std::move(why->text));
    if (!carries_data) {
      pump();
      return taken{};
    }
    auto promise = self_->template make_response_promise<taken>();
    unsent_.emplace(ticket, promise);
    pump();
    return promise;
  }

  void consumed(uint64_t stream, uint32_t bytes) {
    core_->take(stream, bytes);
    pump();
  }

  caf::result<link_quality> ping() {
    if (auto why = core_->ping(now())) return make_error(why->code, std::move(why->text));
    auto promise = self_->template make_response_promise<link_quality>();
    pings_.push_back(promise);
    pump();
    return promise;
  }

  link_status status() const {
    auto counters = core_->counters();
    counters.queued_bytes += connection_->unsent();
    return {info_, counters, round_trip_, largest_read_};
  }

  void close(errc code, std::string text) {
    core_->close({code, std::move(text)}, now());
    pump();
  }

  void receive(std::span<const std::byte> bytes) {
    largest_read_ = std::max(largest_read_, bytes.size());
    core_->receive(bytes, now());
    pump();
  }

  void disconnected() {
    core_->disconnect();
    pump();
  }

  void tick() {
    alarm_.rang();
    // A machine that was too busy to read must not take its peer for dead.
    if (core_->is_established() && connection_->has_unread()) core_->heard(now());
    core_->tick(now());
    pump();
  }

  /// Gives the connection a piece, if it has taken the one before, and ends the link once it is over.
  void pump() {
    // The pieces of an urgent message follow each other at once, as far as it is no large one.
    for (int pieces = 0; pieces < urgent_pieces && !connection_->busy(); ++pieces) {
      if (!core_->pull(connection_->wr_buf())) break;
      connection_->flush();
      if (!core_->is_amid_urgent()) break;
    }
    if (auto& over = core_->over()) return end(make_error(over->code, over->text));
    // Between two pieces comes what is to be read, on this link and on others: an urgent message waits for one piece.
    if (!connection_->busy() && core_->has_more()) connection_->yield();
    alarm_.set(self_, core_->deadline());
  }

  /// Every end of the link goes through here: whoever waits for it hears why.
  void end(caf::error reason) {
    for (auto& entry : std::exchange(unsent_, {})) entry.second.deliver(reason);
    for (auto& promise : std::exchange(pings_, {})) promise.deliver(reason);
    self_->quit(std::move(reason));
  }

  void owner_ended(const caf::down_msg& down) { close(code_of(down.reason), "the owner of the link ended"); }

 private:
  static constexpr size_t proved_read_bytes = 256 * 1024;
  static constexpr int urgent_pieces = 4;

  link_core::time_point now() const { return self_->clock().now(); }

  link_rules rules() {
    auto& config = *start_.config;
    link_rules rules;
    rules.dialler = start_.dialled;
    rules.self.min_version = config.min_version;
    rules.self.max_version = config.max_version;
    rules.self.is_server = config.is_server;
    rules.self.software = config.software;
    rules.self.model_name = config.model_name;
    rules.self.model = config.model;
    rules.self.certificate = config.certificate;
    rules.self.instance = config.instance;
    rules.judge = [this](const crypto::peer_id& peer, const hello& said) { return judge(peer, said); };
    rules.silence = config.silence;
    rules.unproved_time = config.unproved_time;
    rules.outbound_ceiling = config.outbound_ceiling;
    rules.echo = config.allow_bench;
    return rules;
  }

  std::optional<refusal> judge(const crypto::peer_id& peer, const hello& said) {
    info_.peer = peer;
    info_.dialled = start_.dialled;
    info_.is_server = said.is_server;
    info_.software = said.software;
    info_.model_name = said.model_name;
    info_.model = said.model;
    info_.instance = said.instance;
    return start_.config->judge ? start_.config->judge(said.certificate, info_) : std::nullopt;
  }

  // link_events
  void established(const crypto::peer_id&, const hello&) override {
    connection_->set_read_size(proved_read_bytes);
    owner_ = std::exchange(start_.owner, nullptr)(link_actor{self_}, info_);
    self_->monitor(owner_);
  }
  void received(incoming message) override { self_->send(owner_, frame_atom::value, std::move(message)); }
  void ended(uint64_t stream) override { self_->send(owner_, ended_atom::value, stream); }
  void sent(outbox::ticket ticket) override {
    if (auto found = unsent_.extract(ticket)) found.mapped().deliver(taken{});
  }
  void dropped(outbox::ticket ticket, const refusal& why) override {
    if (auto found = unsent_.extract(ticket)) found.mapped().deliver(make_error(why.code, why.text));
  }
  void measured(std::chrono::microseconds time, bool asked) override {
    round_trip_ = time;
    if (!asked) return;
    pings_.front().deliver(link_quality{time, core_->inbound_bytes_per_s()});
    pings_.pop_front();
  }

  Self self_;
  link_start start_;
  link_info info_;
  Connection* connection_ = nullptr;
  std::unique_ptr<link_core> core_;
  frame_sink_actor owner_;
  alarm alarm_;
  outbox::ticket tickets_ = 0;
  std::unordered_map<outbox::ticket, caf::typed_response_promise<taken>> unsent_;
  std::deque<caf::typed_response_promise<link_quality>> pings_;
  std::chrono::microseconds round_trip_{0};
  size_t largest_read_ = 0;
};

}  // namespace corolla::actors::wire
