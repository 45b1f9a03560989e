// What links and acceptors are made of: a typed broker of CAF that ends as other actors do.
#pragma once

#include <utility>

#include <caf/io/typed_broker.hpp>
#include <caf/stateful_actor.hpp>

namespace corolla::actors::wire {

/// CAF 0.17 does not close the mailbox of a broker that has ended.  Requests to it would never be answered, and what it
/// gets later, a tick of its own or the news that its owner has ended, would keep its senders, and it itself, for ever.
template <class Handle>
class closing_broker : public Handle::broker_base {
 public:
  using Handle::broker_base::broker_base;

  bool cleanup(caf::error&& reason, caf::execution_unit* host) override {
    this->close_all();
    return caf::scheduled_actor::cleanup(std::move(reason), host);
  }
};

/// The self pointer of a broker with a state.
template <class Handle, class State>
using broker_pointer = caf::stateful_actor<State, closing_broker<Handle>>*;

}  // namespace corolla::actors::wire
