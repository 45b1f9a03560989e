#include "tests/support/memory_link.hpp"

#include <algorithm>
#include <array>
#include <random>
#include <type_traits>
#include <utility>

#include <caf/actor_system.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "actors/wire/link_driver.hpp"
#include "actors/wire/messages.hpp"
#include "tests/support/plain_channel.hpp"

namespace corolla::tests {

using namespace actors::wire;
using actors::close_atom;
using actors::errc;
using actors::link_info;
using actors::release_atom;
using actors::status_atom;
using actors::tick_atom;

namespace {

using begin_atom = caf::atom_constant<caf::atom("begin")>;
using bytes_atom = caf::atom_constant<caf::atom("bytes")>;
using lost_atom = caf::atom_constant<caf::atom("lost")>;
using pump_atom = caf::atom_constant<caf::atom("pump")>;

using memory_actor = link_actor::extend<
    caf::reacts_to<begin_atom>, caf::reacts_to<bytes_atom, std::vector<char>>, caf::reacts_to<lost_atom>,
    caf::reacts_to<pump_atom>, caf::reacts_to<tick_atom>, caf::reacts_to<release_atom>>;

/// What both ends know.
struct memory_wire {
  std::array<memory_actor, 2> ends;
  std::array<std::shared_ptr<memory_way>, 2> ways;      // by sender
  std::array<link_core::time_point, 2> last_arrival{};  // of what each sender has sent
};

class memory_connection {
 public:
  memory_connection(memory_actor::pointer self, std::shared_ptr<memory_wire> wire, size_t end)
      : self_{self}, wire_{std::move(wire)}, end_{end} {}

  std::vector<char>& wr_buf() { return out_; }
  bool busy() const { return false; }
  size_t unsent() const { return 0; }
  bool has_unread() const { return false; }
  void set_read_size(size_t) {}
  void yield() { self_->send(self_, pump_atom::value); }
  void flush() {
    auto& way = *wire_->ways[end_];
    way.bytes += out_.size();
    auto bytes = std::exchange(out_, {});
    if (way.cut) return;
    if (way.held || !held_.empty()) {
      held_.insert(held_.end(), bytes.begin(), bytes.end());
      return;
    }
    give(std::move(bytes));
  }
  void release() {
    if (!wire_->ways[end_]->held && !held_.empty()) give(std::exchange(held_, {}));
    if (!wire_->ways[1 - end_]->held && is_gone_) peer_gone();
  }
  void give(std::vector<char> bytes) {
    // Virtual time stands still until a test moves it: what takes no time must not wait for that.
    if (auto at = arrival(end_); at <= self_->clock().now())
      self_->send(wire_->ends[1 - end_], bytes_atom::value, std::move(bytes));
    else
      self_->scheduled_send(wire_->ends[1 - end_], at, bytes_atom::value, std::move(bytes));
  }
  /// The other end is gone: that is seen behind what it has sent.
  void peer_gone() {
    if (wire_->ways[1 - end_]->cut) return;
    is_gone_ = true;
    if (wire_->ways[1 - end_]->held) return;
    if (auto at = arrival(1 - end_); at <= self_->clock().now())
      self_->send(self_, lost_atom::value);
    else
      self_->scheduled_send(self_, at, lost_atom::value);
  }
  bool is_peer(const caf::actor_addr& address) const { return wire_->ends[1 - end_].address() == address; }
  const memory_actor& peer() const { return wire_->ends[1 - end_]; }

 private:
  /// Bytes stay in order when a test shortens the delay.
  link_core::time_point arrival(size_t sender) {
    auto& last = wire_->last_arrival[sender];
    last = std::max(last, self_->clock().now() + wire_->ways[sender]->delay);
    return last;
  }

  memory_actor::pointer self_;
  std::shared_ptr<memory_wire> wire_;
  size_t end_;
  std::vector<char> out_;
  std::vector<char> held_;
  bool is_gone_ = false;
};

struct memory_state {
  explicit memory_state(memory_actor::pointer self) : driver{self} {}

  static inline const char* name = "memory_link";

  link_driver<memory_actor::pointer, memory_connection> driver;
  std::unique_ptr<memory_connection> connection;
};
static_assert(!std::is_aggregate_v<memory_state>);

memory_actor::behavior_type memory_link(
    memory_actor::stateful_pointer<memory_state> self, const link_start& start,
    const std::shared_ptr<memory_wire>& wire, size_t end) {
  auto& state = self->state;
  auto* driver = &state.driver;
  state.connection = std::make_unique<memory_connection>(self, wire, end);
  self->set_exit_handler([driver](caf::exit_msg& exit) { driver->end(std::move(exit.reason)); });
  self->set_down_handler([self](caf::down_msg& down) {
    if (self->state.connection->is_peer(down.source))
      self->state.connection->peer_gone();
    else
      self->state.driver.owner_ended(down);
  });
  return {
      [driver](frame_atom, outgoing& message) { return driver->send(message); },
      [driver](consumed_atom, uint64_t stream, uint32_t bytes) { driver->consumed(stream, bytes); },
      [driver](ping_atom) { return driver->ping(); },
      [driver](status_atom) { return driver->status(); },
      [driver](close_atom, errc code, std::string& text) { driver->close(code, std::move(text)); },
      [self, start](begin_atom) {
        self->monitor(self->state.connection->peer());
        std::vector<char> first_bytes;
        auto channel = plain_channel(start.config->self, start.expected, first_bytes);
        self->state.driver.begin(start, std::move(channel), std::move(first_bytes), *self->state.connection);
      },
      [driver](bytes_atom, const std::vector<char>& bytes) { driver->receive(std::as_bytes(std::span{bytes})); },
      [driver](lost_atom) { driver->disconnected(); },
      [driver](pump_atom) { driver->pump(); },
      [driver](tick_atom) { driver->tick(); },
      [self](release_atom) { self->state.connection->release(); },
  };
}

frame_sink_actor::behavior_type tamperer(
    frame_sink_actor::pointer self, const frame_sink_actor& owner, const std::shared_ptr<memory_way>& way) {
  // The owner hears of the link's end by itself, and not of this actor's.
  self->monitor(owner);
  self->set_down_handler([self](caf::down_msg& down) { self->quit(std::move(down.reason)); });
  return {
      [self, owner, way](frame_atom, incoming& message) {
        ++way->messages;
        if (!way->tamper) return self->send(owner, frame_atom::value, std::move(message));
        for (auto& changed : way->tamper(std::move(message))) self->send(owner, frame_atom::value, std::move(changed));
      },
      [self, owner](ended_atom, uint64_t stream) { self->send(owner, ended_atom::value, stream); },
  };
}

/// A step that restores nothing.
bool is_new_step(const incoming& message) {
  if (message.type != frame_type::step) return false;
  const auto body = decode_body<step_body>(message.body);
  return body && body->restores.value == actors::restored_part::none;
}

make_owner with_tamperer(caf::actor_system& system, make_owner owner, std::shared_ptr<memory_way> incoming_way) {
  return [&system, owner = std::move(owner), way = std::move(incoming_way)](
             const link_actor& link, const link_info& info) -> frame_sink_actor {
    return system.spawn(tamperer, owner(link, info), way);
  };
}

}  // namespace

memory_links connect_in_memory(caf::actor_system& system, memory_end dialler, memory_end other) {
  auto wire = std::make_shared<memory_wire>();
  std::array<memory_end*, 2> ends{&dialler, &other};
  for (auto& way : wire->ways) way = std::make_shared<memory_way>();
  for (size_t end = 0; end < 2; ++end) {
    link_start start;
    start.dialled = end == 0;
    start.remote = "memory";
    start.config = ends[end]->config;
    start.owner = ends[end]->tamperable ? with_tamperer(system, std::move(ends[end]->owner), wire->ways[1 - end])
                                        : std::move(ends[end]->owner);
    if (end == 0) start.expected = other.config->self;
    wire->ends[end] = system.spawn(memory_link, std::move(start), wire, end);
  }
  for (auto& end : wire->ends) caf::anon_send(end, begin_atom::value);
  auto release = [wire] {
    for (auto& end : wire->ends) caf::anon_send(end, release_atom::value);
  };
  return {wire->ends[0], wire->ends[1], wire->ways[0], wire->ways[1], release};
}

std::function<std::vector<incoming>(incoming)> duplicate_every(uint32_t n) {
  return [n, count = uint32_t{0}](incoming message) mutable {
    std::vector<incoming> result{message};
    if (++count % n == 0) result.push_back(std::move(message));
    return result;
  };
}

std::function<std::vector<incoming>(incoming)> repeat_steps(uint32_t n, uint32_t seed) {
  return [n, random = std::mt19937{seed}, count = uint64_t{0},
          copies = std::vector<std::pair<uint64_t, incoming>>{}](incoming message) mutable {
    ++count;
    std::vector<incoming> result{message};
    if (is_new_step(message) && random() % n == 0) copies.emplace_back(count + random() % 4, std::move(message));
    const auto is_due = [&](const auto& copy) { return copy.first <= count; };
    for (auto& copy : copies)
      if (is_due(copy)) result.push_back(copy.second);
    std::erase_if(copies, is_due);
    return result;
  };
}

std::function<std::vector<incoming>(incoming)> shuffle_within(size_t window, uint32_t seed) {
  return [window, random = std::mt19937{seed}, held = std::vector<incoming>{}](incoming message) mutable {
    held.push_back(std::move(message));
    std::vector<incoming> result;
    if (held.size() > window) {
      auto chosen = held.begin() + static_cast<std::ptrdiff_t>(random() % held.size());
      result.push_back(std::move(*chosen));
      held.erase(chosen);
    }
    return result;
  };
}

}  // namespace corolla::tests
