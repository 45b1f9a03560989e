#include "tests/support/manual_peer.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace corolla::tests {

using namespace actors::wire;
using clock = std::chrono::steady_clock;

struct manual_peer::channel {
  channel(const node_end& self, bool dialled)
      : secure{dialled ? dial_tls(*self.config.tls, std::nullopt, bytes) : accept_tls(*self.config.tls)} {}

  std::vector<char> bytes;
  std::unique_ptr<secure_channel> secure;
};

namespace {

link_rules rules_of(bool dialled, const hello& said) {
  link_rules rules;
  rules.dialler = dialled;
  rules.self = said;
  rules.judge = [](auto&, auto&) { return std::optional<refusal>{}; };
  return rules;
}

/// Waits until the socket can be read, written (where that is wanted), or `deadline`.
short wait(int socket, short events, clock::time_point deadline) {
  auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock::now()).count();
  pollfd waiting{socket, events, 0};
  if (left <= 0 || ::poll(&waiting, 1, static_cast<int>(left)) <= 0) return 0;
  return waiting.revents;
}

}  // namespace

manual_peer::manual_peer(int socket, const node_end& self, bool dialled, hello said)
    : manual_peer{socket, channel{self, dialled}, dialled, said} {}

manual_peer::manual_peer(int socket, channel through, bool dialled, const hello& said)
    : core{rules_of(dialled, said), std::move(through.secure), std::move(through.bytes), record, clock::now()},
      socket_{socket} {}

bool manual_peer::run_until(const std::function<bool()>& done) {
  auto deadline = clock::now() + patience;
  std::vector<char> out;
  std::array<std::byte, 65536> in;
  while (!closed) {
    if (out.empty()) core.pull(out);
    if (out.empty() && done()) return true;
    auto ready = wait(socket_.get(), static_cast<short>(POLLIN | (out.empty() ? 0 : POLLOUT)), deadline);
    if (ready == 0) return false;
    if ((ready & POLLOUT) != 0) {
      auto count = ::send(socket_.get(), out.data(), out.size(), MSG_NOSIGNAL);
      if (count > 0) out.erase(out.begin(), out.begin() + count);
    }
    if ((ready & (POLLIN | POLLHUP | POLLERR)) != 0) {
      auto count = ::recv(socket_.get(), in.data(), in.size(), 0);
      if (count > 0) {
        core.receive(std::span{in}.first(static_cast<size_t>(count)), clock::now());
      } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
        closed = true;
        core.disconnect();
      }
    }
  }
  return done();
}

void manual_peer::send_raw(std::span<const char> bytes) {
  ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

bool wait_for_end(int socket) {
  auto deadline = clock::now() + patience;
  std::array<char, 4096> bytes;
  while (wait(socket, POLLIN, deadline) != 0) {
    auto count = ::recv(socket, bytes.data(), bytes.size(), 0);
    if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) return true;
  }
  return false;
}

}  // namespace corolla::tests
