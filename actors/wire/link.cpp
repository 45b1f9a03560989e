#include "actors/wire/link.hpp"

#include <type_traits>
#include <utility>

#include <caf/io/middleman.hpp>

#include "actors/wire/broker.hpp"
#include "actors/wire/link_driver.hpp"
#include "actors/wire/scribe.hpp"

namespace corolla::actors::wire {
namespace {

using link_broker = link_actor::extend<
    caf::reacts_to<caf::io::new_data_msg>, caf::reacts_to<caf::io::connection_closed_msg>,
    caf::reacts_to<caf::io::data_transferred_msg>, caf::reacts_to<tick_atom>>;

struct link_state {
  explicit link_state(link_broker::broker_base* self) : driver{self} {}

  static inline const char* name = "link";

  link_driver<link_broker::broker_base*, scribe> driver;
  caf::intrusive_ptr<scribe> connection;
};
static_assert(!std::is_aggregate_v<link_state>);

using self_pointer = broker_pointer<link_broker, link_state>;

void set_up(self_pointer self, link_start start, descriptor& socket) {
  auto& state = self->state;
  if (start.remote.empty()) start.remote = remote_name(socket.get());
  auto& loop = dynamic_cast<caf::io::network::default_multiplexer&>(self->backend());
  state.connection = caf::make_counted<scribe>(loop, std::move(socket));
  self->add_scribe(state.connection);
  state.connection->start();
  std::vector<char> first_bytes;
  auto& tls = *start.config->tls;
  auto channel = start.dialled ? dial_tls(tls, start.expected, first_bytes) : accept_tls(tls);
  state.driver.begin(std::move(start), std::move(channel), std::move(first_bytes), *state.connection);
}

link_broker::behavior_type link(self_pointer self, link_start start, const std::shared_ptr<descriptor>& socket) {
  auto* driver = &self->state.driver;
  self->set_exit_handler([driver](caf::exit_msg& exit) { driver->end(std::move(exit.reason)); });
  self->set_down_handler([driver](caf::down_msg& down) { driver->owner_ended(down); });
  set_up(self, std::move(start), *socket);
  return {
      [driver](frame_atom, outgoing& message) { return driver->send(message); },
      [driver](consumed_atom, uint64_t stream, uint32_t bytes) { driver->consumed(stream, bytes); },
      [driver](ping_atom) { return driver->ping(); },
      [driver](status_atom) { return driver->status(); },
      [driver](close_atom, errc code, std::string& text) { driver->close(code, std::move(text)); },
      [self](const caf::io::new_data_msg&) { self->state.driver.receive(self->state.connection->received()); },
      [driver](const caf::io::connection_closed_msg&) { driver->disconnected(); },
      [driver](const caf::io::data_transferred_msg&) { driver->pump(); },
      [driver](tick_atom) { driver->tick(); },
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
