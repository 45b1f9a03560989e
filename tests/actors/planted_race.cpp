// Two actors that write to the same number: what the thread sanitizer must report, if its silence elsewhere is to mean
// anything.
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>

#include <array>

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
  // Both are there before either works: a thread that is done with the first would be used again for the second, and
  // one thread has no race with itself.
  const std::array writers{system.spawn<caf::detached>(writer), system.spawn<caf::detached>(writer)};
  for (const auto& each : writers) caf::anon_send(each, 1000);
}
