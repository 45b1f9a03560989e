// The one way to spawn an actor with a state.
#pragma once

#include <type_traits>
#include <utility>

#include <caf/spawn_options.hpp>
#include <caf/stateful_actor.hpp>

namespace corolla::actors {

/// Spawns `behavior(self, args...)` from an actor system or another actor, with spawn options such as caf::detached.
template <
    caf::spawn_options Options = caf::no_spawn_options, class Spawner, class Behavior, class State, class Base,
    class... Params, class... Args>
auto spawn_stateful(
    Spawner& spawner, Behavior (*behavior)(caf::stateful_actor<State, Base>*, Params...), Args&&... args) {
  // CAF 0.17 constructs a state from the actor's own pointer wherever it can, and in C++20 an aggregate can: its first
  // member would be initialised with that pointer.
  static_assert(!std::is_aggregate_v<State>, "an actor's state declares `state() = default;`");
  return spawner.template spawn<Options>(behavior, std::forward<Args>(args)...);
}

}  // namespace corolla::actors
