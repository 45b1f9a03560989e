#include "actors/wire/scribe.hpp"

#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "actors/wire/limits.hpp"

namespace corolla::actors::wire {
namespace {

using caf::io::network::operation;

constexpr size_t most_read = 256 * 1024;
constexpr int send_buffer = 256 * 1024;

/// All connections of a system live in one thread, and what was read is used up before the next read.
std::byte* shared_buffer() {
  thread_local const std::unique_ptr<std::byte[]> buffer{new std::byte[most_read]};
  return buffer.get();
}

bool is_temporary(int error) {
  return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

}  // namespace

scribe::scribe(caf::io::network::default_multiplexer& loop, descriptor socket)
    : caf::io::scribe(caf::io::network::conn_hdl_from_socket(socket.get())),
      handler_{loop, socket.release(), *this},
      read_size_{limits::unproved_read_bytes} {
  // The less the kernel holds, the sooner an urgent frame gets past a bulk transfer.
  ::setsockopt(handler_.fd(), SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer);
}

scribe::~scribe() = default;

void scribe::start() {
  handler_.watch(operation::read);
}

void scribe::set_read_size(size_t size) {
  read_size_ = std::min(size, most_read);
}

bool scribe::has_unread() const {
  int waiting = 0;
  return ::ioctl(handler_.fd(), FIONREAD, &waiting) == 0 && waiting > 0;
}

void scribe::configure_read(caf::io::receive_policy::config config) {
  set_read_size(config.second);
  start();
}

void scribe::flush() {
  if (!detached() && !send_some()) handler_.watch(operation::write);
}

void scribe::yield() {
  if (!detached()) handler_.watch(operation::write);
}

void scribe::graceful_shutdown() {
  caf::io::scribe_ptr keep{this};
  ::shutdown(handler_.fd(), SHUT_RDWR);
  detach(&handler_.backend(), /*invoke_disconnect_message=*/false);
}

void scribe::add_to_loop() {
  start();
}

void scribe::remove_from_loop() {
  handler_.unwatch(operation::read);
  handler_.unwatch(operation::write);
}

std::string scribe::addr() const {
  return remote_host(handler_.fd());
}

uint16_t scribe::port() const {
  auto port = caf::io::network::remote_port_of_fd(handler_.fd());
  return port ? *port : uint16_t{0};
}

void scribe::read_some() {
  auto* buffer = shared_buffer();
  auto count = ::recv(handler_.fd(), buffer, read_size_, 0);
  if (count > 0) {
    // The broker may end, and with it what it owns.
    auto keep = parent_;
    received_ = {buffer, static_cast<size_t>(count)};
    invoke_mailbox_element(&handler_.backend());
    received_ = {};
  } else if (count == 0 || !is_temporary(errno)) {
    io_failure(&handler_.backend(), operation::read);
  }
}

void scribe::write_some() {
  if (!send_some()) {
    if (!is_temporary(errno)) io_failure(&handler_.backend(), operation::write);
    return;
  }
  handler_.unwatch(operation::write);
  auto keep = parent_;
  data_transferred(&handler_.backend(), 0, 0);
}

bool scribe::send_some() {
  while (busy()) {
    auto count = ::send(handler_.fd(), out_.data() + sent_, unsent(), MSG_NOSIGNAL);
    if (count < 0) return false;
    sent_ += static_cast<size_t>(count);
  }
  out_.clear();
  sent_ = 0;
  return true;
}

scribe::handler::handler(caf::io::network::default_multiplexer& loop, int socket, scribe& owner)
    : event_handler(loop, socket), owner_{owner} {}

void scribe::handler::handle_event(operation op) {
  if (owner_.detached()) return;
  switch (op) {
    case operation::read:
      return owner_.read_some();
    case operation::write:
      return owner_.write_some();
    case operation::propagate_error:
      return owner_.io_failure(&backend(), operation::read);
  }
}

void scribe::handler::removed_from_loop(operation op) {
  keeper(op).reset();
}

void scribe::handler::graceful_shutdown() {
  owner_.graceful_shutdown();
}

void scribe::handler::watch(operation op) {
  keeper(op).reset(&owner_);
  backend().add(op, fd(), this);
}

void scribe::handler::unwatch(operation op) {
  backend().del(op, fd(), this);
  // The loop tells of a removal only if it had got as far as to add.
  auto mask = op == operation::read ? caf::io::network::input_mask : caf::io::network::output_mask;
  if ((eventbf() & mask) == 0) keeper(op).reset();
}

caf::io::scribe_ptr& scribe::handler::keeper(operation op) {
  return op == operation::read ? reading_ : writing_;
}

}  // namespace corolla::actors::wire
