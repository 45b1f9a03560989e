#include "tests/support/link_ends.hpp"

#include <stdexcept>
#include <variant>

#include <sys/socket.h>

#include <caf/event_based_actor.hpp>
#include <caf/io/middleman.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "actors/wire/socket.hpp"

namespace corolla::tests {

using namespace actors::wire;

networked_config::networked_config() {
  load<caf::io::middleman>();
  set("scheduler.policy", caf::atom("sharing"));
  set("scheduler.max-threads", 2);
  set("middleman.workers", 0);
}

node_end::node_end() {
  config.tls = std::make_shared<const crypto::tls_context>(identity);
  config.self = identity.peer();
  config.software = "test/1";
}

std::shared_ptr<const link_config> node_end::shared() const {
  return std::make_shared<const link_config>(config);
}

namespace {

frame_sink_actor::behavior_type report(
    frame_sink_actor::pointer self, const link_actor& link, const caf::actor& test, const actors::link_info& info) {
  self->link_to(link);
  return {
      [test, info](frame_atom, incoming& message) {
        caf::anon_send(test, link_message{info, std::move(message)});
      },
      [test, info](ended_atom, uint64_t stream) {
        caf::anon_send(test, stream_end{info, stream});
      },
  };
}

}  // namespace

make_owner reporting_to(caf::actor_system& system, const caf::actor& test) {
  return [&system, test](const link_actor& link, const actors::link_info& info) -> frame_sink_actor {
    auto owner = system.spawn(report, link, test, info);
    caf::anon_send(test, link_up{link, info});
    return owner;
  };
}

std::pair<int, int> connected_sockets() {
  auto listening = listen_at("127.0.0.1", 0);
  auto& at = std::get<listener>(listening);
  auto dialled = connect_to("127.0.0.1", at.port, std::chrono::seconds{5});
  auto accepted = ::accept4(at.socket.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (accepted < 0) throw std::runtime_error{"nothing was accepted"};
  return {std::get<descriptor>(dialled).release(), accepted};
}

}  // namespace corolla::tests
