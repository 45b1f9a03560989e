// A listening socket in CAF's event loop, in place of CAF's own: it gives plain descriptors, which have no buffers yet.
#pragma once

#include <cstdint>
#include <string>

#include <caf/io/doorman.hpp>
#include <caf/io/network/default_multiplexer.hpp>

#include "actors/wire/socket.hpp"

namespace corolla::actors::wire {

class doorman final : public caf::io::doorman {
 public:
  doorman(caf::io::network::default_multiplexer& loop, descriptor socket);
  ~doorman() override;

  /// The next connection, non-blocking; the broker is told by new_connection_msg, which names none, that there are
  /// some.
  descriptor accept();
  /// The last `accept` failed since the process has no descriptors left.
  bool exhausted() const { return exhausted_; }

  // -- what CAF asks of a doorman --

  bool new_connection() override;
  void launch() override { add_to_loop(); }
  void graceful_shutdown() override;
  void add_to_loop() override;
  void remove_from_loop() override;
  std::string addr() const override;
  uint16_t port() const override;

 private:
  class handler final : public caf::io::network::event_handler {
   public:
    handler(caf::io::network::default_multiplexer& loop, int socket, doorman& owner);
    void handle_event(caf::io::network::operation op) override;
    void removed_from_loop(caf::io::network::operation op) override;
    void graceful_shutdown() override { owner_.graceful_shutdown(); }

    void watch();
    void unwatch();

   private:
    doorman& owner_;
    // The loop holds a plain pointer: this keeps the doorman for as long as it does.
    caf::io::doorman_ptr keeper_;
  };

  handler handler_;
  bool exhausted_ = false;
};

}  // namespace corolla::actors::wire
