#include "actors/wire/link.hpp"

#include <deque>
#include <type_traits>
#include <unordered_map>
#include <utility>

#include <caf/io/middleman.hpp>
#include <caf/io/typed_broker.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include "actors/wire/link_core.hpp"
#include "actors/wire/scribe.hpp"

namespace corolla::actors::wire {
namespace {

// After so many pieces without a pause the other links have their turn.
constexpr int pieces_a_turn = 4;
constexpr size_t proved_read_bytes = 256 * 1024;

using link_broker = link_actor::extend<
  caf::reacts_to<caf::io::new_data_msg>, caf::reacts_to<caf::io::connection_closed_msg>,
  caf::reacts_to<caf::io::data_transferred_msg>, caf::reacts_to<tick_atom>>;

struct link_state;
using self_pointer = link_broker::stateful_broker_pointer<link_state>;

struct link_state : link_events {
  explicit link_state(self_pointer actor) : self{actor} {}
  link_state(const link_state&) = delete;

  // link_events
  void established(const crypto::peer_id& peer, const hello& said) override;
  void received(incoming message) override;
  void ended(uint64_t stream) override;
  void sent(outbox::ticket name) override;
  void dropped(outbox::ticket name, const refusal& why) override;
  void measured(std::chrono::microseconds time, bool asked) override;

  std::optional<refusal> judge(const crypto::peer_id& peer, const hello& said);

  static inline const char* name = "link";

  self_pointer self;
  link_start start;
  link_info info;
  std::unique_ptr<link_core> core;
  caf::intrusive_ptr<scribe> connection;
  frame_sink_actor owner;
  link_core::time_point armed = link_core::time_point::max();  // when the earliest tick comes
  outbox::ticket tickets = 0;
  std::unordered_map<outbox::ticket, caf::typed_response_promise<taken>> unsent;
  std::deque<caf::typed_response_promise<std::chrono::microseconds>> pings;
  std::chrono::microseconds round_trip{0};
};
static_assert(!std::is_aggregate_v<link_state>);

// -- what the core tells ----------------------------------------------------------------------------------------------

std::optional<refusal> link_state::judge(const crypto::peer_id& peer, const hello& said) {
  info.peer = peer;
  info.dialled = start.dialled;
  info.is_server = said.is_server;
  info.software = said.software;
  info.model_name = said.model_name;
  info.model = said.model;
  if (!start.config->judge)
    return std::nullopt;
  return start.config->judge(said.certificate, info);
}

void link_state::established(const crypto::peer_id&, const hello&) {
  connection->set_read_size(proved_read_bytes);
  owner = std::exchange(start.owner, nullptr)(link_actor{self}, info);
  self->monitor(owner);
}

void link_state::received(incoming message) { self->send(owner, frame_atom::value, std::move(message)); }

void link_state::ended(uint64_t stream) { self->send(owner, ended_atom::value, stream); }

void link_state::sent(outbox::ticket ticket) {
  if (auto found = unsent.extract(ticket))
    found.mapped().deliver(taken{});
}

void link_state::dropped(outbox::ticket ticket, const refusal& why) {
  if (auto found = unsent.extract(ticket))
    found.mapped().deliver(make_error(why.code, why.text));
}

void link_state::measured(std::chrono::microseconds time, bool asked) {
  round_trip = time;
  if (!asked)
    return;
  pings.front().deliver(time);
  pings.pop_front();
}

// -- what moves it ----------------------------------------------------------------------------------------------------

/// Every end of the link goes through here: whoever waits for it hears why.
void end(self_pointer self, caf::error reason) {
  auto& state = self->state;
  for (auto& entry : state.unsent)
    entry.second.deliver(reason);
  for (auto& promise : state.pings)
    promise.deliver(reason);
  state.unsent.clear();
  state.pings.clear();
  self->quit(std::move(reason));
}

void arm(self_pointer self) {
  auto& state = self->state;
  auto deadline = state.core->deadline();
  if (deadline >= state.armed)
    return;
  state.armed = deadline;
  self->delayed_send(self, deadline - self->clock().now(), tick_atom::value);
}

/// Gives the socket what it takes, and ends the link once it is over.
void pump(self_pointer self) {
  auto& state = self->state;
  auto& connection = *state.connection;
  auto more = true;
  for (int piece = 0; piece < pieces_a_turn && more && !connection.busy(); ++piece) {
    more = state.core->pull(connection.wr_buf());
    if (more)
      connection.flush();
  }
  if (auto& over = state.core->over())
    return end(self, make_error(over->code, over->text));
  if (more && !connection.busy())
    connection.yield();
  arm(self);
}

void closed(self_pointer self) {
  self->state.core->disconnect();
  auto& over = *self->state.core->over();
  end(self, make_error(over.code, over.text));
}

void tick(self_pointer self) {
  auto& state = self->state;
  auto now = self->clock().now();
  state.armed = link_core::time_point::max();
  // A machine that was too busy to read must not take its peer for dead.
  if (state.core->is_established() && state.connection->has_unread())
    state.core->heard(now);
  state.core->tick(now);
  pump(self);
}

caf::result<taken> queue(self_pointer self, outgoing& message) {
  auto& state = self->state;
  auto carries_data = !message.payload.bytes().empty();
  auto ticket = carries_data ? ++state.tickets : outbox::ticket{0};
  if (auto why = state.core->send(std::move(message), ticket))
    return make_error(why->code, std::move(why->text));
  if (!carries_data) {
    pump(self);
    return taken{};
  }
  auto promise = self->make_response_promise<taken>();
  state.unsent.emplace(ticket, promise);
  pump(self);
  return promise;
}

caf::result<std::chrono::microseconds> ping(self_pointer self) {
  auto& state = self->state;
  if (auto why = state.core->ping(self->clock().now()))
    return make_error(why->code, std::move(why->text));
  auto promise = self->make_response_promise<std::chrono::microseconds>();
  state.pings.push_back(promise);
  pump(self);
  return promise;
}

link_status status(self_pointer self) {
  auto& state = self->state;
  auto counters = state.core->counters();
  counters.queued_bytes += state.connection->unsent();
  return {state.info, counters, state.round_trip};
}

link_rules rules_for(self_pointer self) {
  auto& start = self->state.start;
  auto& config = *start.config;
  link_rules rules;
  rules.dialler = start.dialled;
  rules.self.min_version = config.min_version;
  rules.self.max_version = config.max_version;
  rules.self.is_server = config.is_server;
  rules.self.software = config.software;
  rules.self.model_name = config.model_name;
  rules.self.model = config.model;
  rules.self.certificate = config.certificate;
  rules.judge = [self](const crypto::peer_id& peer, const hello& said) { return self->state.judge(peer, said); };
  rules.silence = config.silence;
  rules.unproved_time = config.unproved_time;
  rules.outbound_ceiling = config.outbound_ceiling;
  rules.echo = config.allow_bench;
  return rules;
}

void set_up(self_pointer self, link_start start, const std::shared_ptr<descriptor>& socket) {
  auto& state = self->state;
  state.start = std::move(start);
  state.info.remote = state.start.remote.empty() ? remote_name(socket->get()) : state.start.remote;
  auto& loop = dynamic_cast<caf::io::network::default_multiplexer&>(self->backend());
  state.connection = caf::make_counted<scribe>(loop, std::move(*socket));
  self->add_scribe(state.connection);
  std::vector<char> first_bytes;
  auto& config = *state.start.config;
  auto channel = state.start.dialled ? dial_tls(*config.tls, state.start.expected, first_bytes)
                                     : accept_tls(*config.tls);
  state.core = std::make_unique<link_core>(
    rules_for(self), std::move(channel), std::move(first_bytes), state, self->clock().now());
  state.connection->start();
}

link_broker::behavior_type link(self_pointer self, link_start start, const std::shared_ptr<descriptor>& socket) {
  set_up(self, std::move(start), socket);
  self->set_exit_handler([self](caf::exit_msg& exit) { end(self, std::move(exit.reason)); });
  self->set_down_handler([self](caf::down_msg& down) {
    self->state.core->close({code_of(down.reason), "the owner of the link ended"}, self->clock().now());
    pump(self);
  });
  pump(self);
  return {
    [self](frame_atom, outgoing& message) { return queue(self, message); },
    [self](consumed_atom, uint64_t stream, uint32_t bytes) {
      self->state.core->take(stream, bytes);
      pump(self);
    },
    [self](ping_atom) { return ping(self); },
    [self](status_atom) { return status(self); },
    [self](close_atom, errc code, std::string& text) {
      self->state.core->close({code, std::move(text)}, self->clock().now());
      pump(self);
    },
    [self](const caf::io::new_data_msg&) {
      self->state.core->receive(self->state.connection->received(), self->clock().now());
      pump(self);
    },
    [self](const caf::io::connection_closed_msg&) { closed(self); },
    [self](const caf::io::data_transferred_msg&) { pump(self); },
    [self](tick_atom) { tick(self); },
  };
}

}  // namespace

link_actor spawn_link(caf::actor_system& system, link_start start) {
  // Shared, since CAF copies what a behaviour is spawned with; whichever copy is last closes the socket if no link has
  // taken it.
  auto socket = std::make_shared<descriptor>(start.socket);
  return system.middleman().spawn_broker(link, std::move(start), std::move(socket));
}

}  // namespace corolla::actors::wire
