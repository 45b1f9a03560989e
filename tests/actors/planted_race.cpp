// Two actors that write to the same number: what the thread sanitizer must report, if its silence elsewhere is to mean
// anything.
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>

namespace {

int written_by_both = 0;

caf::behavior writer(caf::event_based_actor*) {
  return {[](int times) {
    for (int i = 0; i < times; ++i) ++written_by_both;
  }};
}

}  // namespace

int main() {
  caf::actor_system_config config;
  caf::actor_system system{config};
  for (int i = 0; i < 2; ++i) caf::anon_send(system.spawn<caf::detached>(writer), 1000);
}
