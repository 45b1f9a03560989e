#include "actors/wire/acceptor.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <list>
#include <type_traits>
#include <utility>

#include <caf/io/middleman.hpp>

#include "actors/wire/broker.hpp"
#include "actors/wire/doorman.hpp"

namespace corolla::actors::wire {
namespace {

// Where the process has no descriptor left, one may be free a little later.
constexpr auto pause_without_descriptors = std::chrono::milliseconds{100};

using proved_atom = caf::atom_constant<caf::atom("proved")>;

using acceptor_broker = acceptor_actor::extend<
    caf::reacts_to<caf::io::new_connection_msg>, caf::reacts_to<caf::io::acceptor_closed_msg>,
    // A connection, by its number, has become a link.
    caf::reacts_to<proved_atom, uint64_t>, caf::reacts_to<tick_atom>>;

struct unproved {
  uint64_t number = 0;
  std::string address;
  link_actor link;
};

struct acceptor_state {
  acceptor_state() = default;

  static inline const char* name = "acceptor";

  acceptor_start start;
  caf::intrusive_ptr<doorman> door;
  std::list<unproved> waiting;  // oldest first
  uint64_t accepted = 0;
  uint64_t displaced = 0;
};
static_assert(!std::is_aggregate_v<acceptor_state>);

using self_pointer = broker_pointer<acceptor_broker, acceptor_state>;

/// Ends the oldest unproved connection, of one address or of any.
void displace_oldest(self_pointer self, const std::string* address) {
  auto& state = self->state;
  auto oldest = std::find_if(state.waiting.begin(), state.waiting.end(), [&](const unproved& connection) {
    return address == nullptr || connection.address == *address;
  });
  if (oldest == state.waiting.end()) return;
  ++state.displaced;
  self->send_exit(oldest->link, make_error(errc::overloaded, "too many connections whose peers are not proved"));
  state.waiting.erase(oldest);
}

void admit(self_pointer self, descriptor socket) {
  auto& state = self->state;
  auto address = remote_host(socket.get());
  auto same = std::count_if(
      state.waiting.begin(), state.waiting.end(), [&](const unproved& other) { return other.address == address; });
  if (static_cast<size_t>(same) >= state.start.per_address)
    displace_oldest(self, &address);
  else if (state.waiting.size() >= state.start.in_all)
    displace_oldest(self, nullptr);
  auto number = ++state.accepted;
  link_start start;
  start.socket = socket.release();
  start.config = state.start.config;
  start.owner = [number, owner = state.start.owner, acceptor = acceptor_broker{self}](
                    const link_actor& link, const link_info& info) {
    caf::anon_send(acceptor, proved_atom::value, number);
    return owner(link, info);
  };
  auto link = spawn_link(self->system(), std::move(start));
  self->monitor(link);
  state.waiting.push_back({number, std::move(address), std::move(link)});
}

void accept_all(self_pointer self) {
  auto& state = self->state;
  while (auto socket = state.door->accept()) admit(self, std::move(socket));
  if (state.door->exhausted()) {
    state.door->halt();
    self->delayed_send(self, pause_without_descriptors, tick_atom::value);
  }
}

acceptor_broker::behavior_type acceptor(
    self_pointer self, acceptor_start start, const std::shared_ptr<descriptor>& socket) {
  auto& state = self->state;
  state.start = std::move(start);
  auto& loop = dynamic_cast<caf::io::network::default_multiplexer&>(self->backend());
  state.door = caf::make_counted<doorman>(loop, std::move(*socket));
  self->add_doorman(state.door);
  self->set_exit_handler([self](caf::exit_msg& exit) {
    // Nobody takes these over any more.
    for (auto& connection : self->state.waiting)
      self->send(connection.link, close_atom::value, errc::stopping, "the node is ending");
    self->quit(std::move(exit.reason));
  });
  self->set_down_handler([self](caf::down_msg& down) {
    self->state.waiting.remove_if([&](const unproved& one) { return one.link.address() == down.source; });
  });
  return {
      [self](status_atom) {
        return acceptor_status{
            static_cast<uint32_t>(self->state.waiting.size()), self->state.accepted, self->state.displaced};
      },
      [self](const caf::io::new_connection_msg&) { accept_all(self); },
      [self](const caf::io::acceptor_closed_msg&) {
        self->quit(make_error(errc::unreachable, "the listening socket was closed"));
      },
      [self](proved_atom, uint64_t number) {
        auto& waiting = self->state.waiting;
        auto found = std::find_if(waiting.begin(), waiting.end(), [&](auto& one) { return one.number == number; });
        if (found == waiting.end()) return;
        self->demonitor(found->link.address());
        waiting.erase(found);
      },
      [self](tick_atom) { self->state.door->add_to_loop(); },
  };
}

}  // namespace

caf::expected<listening> spawn_acceptor(caf::actor_system& system, acceptor_start start) {
  auto outcome = listen_at(start.host, start.port);
  if (auto* why = std::get_if<refusal>(&outcome)) return make_error(why->code, why->text);
  auto& at = std::get<listener>(outcome);
  listening result;
  result.host = at.host;
  result.port = at.port;
  auto socket = std::make_shared<descriptor>(std::move(at.socket));
  result.acceptor = system.middleman().spawn_broker(acceptor, std::move(start), std::move(socket));
  return result;
}

}  // namespace corolla::actors::wire
