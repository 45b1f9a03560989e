#include "runtime/bench_processes.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <exception>
#include <stdexcept>
#include <variant>

#include "actors/wire/socket.hpp"

namespace corolla::runtime {

std::pair<int, int> connected_pair(bool blocking) {
  using namespace actors::wire;
  auto listening = listen_at("127.0.0.1", 0);
  if (auto* why = std::get_if<refusal>(&listening)) throw std::runtime_error{why->text};
  auto& at = std::get<listener>(listening);
  auto dialled = connect_to(at.host, at.port, std::chrono::seconds{5});
  if (auto* why = std::get_if<refusal>(&dialled)) throw std::runtime_error{why->text};
  descriptor accepted{::accept4(at.socket.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
  auto& near = std::get<descriptor>(dialled);
  if (!accepted) throw std::runtime_error{"a loopback connection was not accepted"};
  int on = 1;
  for (auto socket : {near.get(), accepted.get()}) {
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (blocking) ::fcntl(socket, F_SETFL, ::fcntl(socket, F_GETFL) & ~O_NONBLOCK);
  }
  return {near.release(), accepted.release()};
}

int fork_into(const std::function<void()>& work) {
  auto child = ::fork();
  if (child < 0) throw std::runtime_error{"no process could be forked"};
  if (child > 0) return child;
  try {
    work();
  } catch (const std::exception&) {
    ::_exit(1);
  }
  ::_exit(0);
}

}  // namespace corolla::runtime
