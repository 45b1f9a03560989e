#include "actors/wire/doorman.hpp"

#include <sys/socket.h>

#include <cerrno>

namespace corolla::actors::wire {

using caf::io::network::operation;

doorman::doorman(caf::io::network::default_multiplexer& loop, descriptor socket)
    : caf::io::doorman(caf::io::network::accept_hdl_from_socket(socket.get())),
      handler_{loop, socket.release(), *this} {}

doorman::~doorman() = default;

descriptor doorman::accept() {
  descriptor socket;
  do {
    socket = descriptor{::accept4(handler_.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
    // A connection that was given up before it was accepted says nothing about the next.
  } while (!socket && (errno == ECONNABORTED || errno == EINTR));
  exhausted_ = !socket && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM);
  return socket;
}

bool doorman::new_connection() {
  auto keep = parent_;
  return caf::io::doorman::new_connection(&handler_.backend(), caf::io::connection_handle{});
}

void doorman::graceful_shutdown() {
  caf::io::doorman_ptr keep{this};
  ::shutdown(handler_.fd(), SHUT_RDWR);
  detach(&handler_.backend(), /*invoke_disconnect_message=*/false);
}

void doorman::add_to_loop() {
  handler_.watch();
}

void doorman::remove_from_loop() {
  handler_.unwatch();
}

std::string doorman::addr() const {
  auto name = caf::io::network::local_addr_of_fd(handler_.fd());
  return name ? *name : std::string{};
}

uint16_t doorman::port() const {
  auto port = caf::io::network::local_port_of_fd(handler_.fd());
  return port ? *port : uint16_t{0};
}

doorman::handler::handler(caf::io::network::default_multiplexer& loop, int socket, doorman& owner)
    : event_handler(loop, socket), owner_{owner} {}

void doorman::handler::handle_event(operation op) {
  if (owner_.detached()) return;
  if (op == operation::read)
    owner_.new_connection();
  else
    owner_.io_failure(&backend(), op);
}

void doorman::handler::removed_from_loop(operation) {
  keeper_.reset();
}

void doorman::handler::watch() {
  keeper_.reset(&owner_);
  backend().add(operation::read, fd(), this);
}

void doorman::handler::unwatch() {
  backend().del(operation::read, fd(), this);
  // The loop tells of a removal only if it had got as far as to add.
  if (eventbf() == 0) keeper_.reset();
}

}  // namespace corolla::actors::wire
