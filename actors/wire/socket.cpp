#include "actors/wire/socket.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <system_error>

namespace corolla::actors::wire {
namespace {

using clock = std::chrono::steady_clock;

std::string words_for(int error) {
  return std::generic_category().message(error);
}

struct endpoint {
  std::string host;
  uint16_t port = 0;
};

/// nullopt: a socket of another family.
std::optional<endpoint> endpoint_of(const sockaddr_storage& address, socklen_t size) {
  if (address.ss_family != AF_INET && address.ss_family != AF_INET6) return std::nullopt;
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  auto* any = reinterpret_cast<const sockaddr*>(&address);
  auto flags = NI_NUMERICHOST | NI_NUMERICSERV;
  if (::getnameinfo(any, size, host.data(), host.size(), port.data(), port.size(), flags) != 0) return std::nullopt;
  return endpoint{host.data(), static_cast<uint16_t>(std::stoul(port.data()))};
}

template <class Call>
std::optional<endpoint> endpoint_from(Call call, int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (call(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return std::nullopt;
  return endpoint_of(address, size);
}

struct addresses_deleter {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};
using addresses = std::unique_ptr<addrinfo, addresses_deleter>;

std::variant<addresses, refusal> resolve(const std::string& host, uint16_t port, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  auto outcome = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
  if (outcome == 0) return addresses{list};
  auto why = outcome == EAI_SYSTEM ? words_for(errno) : std::string{::gai_strerror(outcome)};
  return refusal{errc::unreachable, "cannot resolve " + host + ": " + why};
}

descriptor open_socket(const addrinfo& address) {
  return descriptor{::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, address.ai_protocol)};
}

/// 0, or the error for which nothing was connected by then.
int finish_connect(int socket, clock::time_point deadline, const interrupt* stop) {
  for (;;) {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock::now()).count();
    if (left <= 0) return ETIMEDOUT;
    // A negative descriptor is passed over.
    std::array<pollfd, 2> waiting{{{socket, POLLOUT, 0}, {stop != nullptr ? stop->fd() : -1, POLLIN, 0}}};
    auto count = ::poll(waiting.data(), waiting.size(), static_cast<int>(left));
    if (count < 0 && errno != EINTR) return errno;
    if (count <= 0) continue;
    if (waiting[1].revents != 0) return ECANCELED;
    int error = 0;
    socklen_t size = sizeof error;
    return ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
  }
}

int connect_one(descriptor& socket, const addrinfo& address, clock::time_point deadline, const interrupt* stop) {
  if (!socket) return errno;
  if (::connect(socket.get(), address.ai_addr, address.ai_addrlen) == 0) return 0;
  return errno == EINPROGRESS ? finish_connect(socket.get(), deadline, stop) : errno;
}

}  // namespace

interrupt::interrupt() : event_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)} {
  if (!event_) throw std::system_error(errno, std::generic_category(), "eventfd");
}

void interrupt::raise() const noexcept {
  const uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(event_.get(), &one, sizeof one);
}

descriptor::~descriptor() {
  if (number_ >= 0) ::close(number_);
}

std::string join(const std::string& host, uint16_t port) {
  auto is_ipv6 = host.find(':') != std::string::npos;
  return (is_ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::string remote_host(int socket) {
  auto remote = endpoint_from(::getpeername, socket);
  return remote ? remote->host : std::string{};
}

std::string remote_name(int socket) {
  auto remote = endpoint_from(::getpeername, socket);
  return remote ? join(remote->host, remote->port) : std::string{};
}

std::variant<listener, refusal> listen_at(const std::string& host, uint16_t port) {
  auto resolved = resolve(host, port, AI_PASSIVE);
  if (auto* why = std::get_if<refusal>(&resolved)) return *why;
  auto& address = *std::get<addresses>(resolved);
  auto socket = open_socket(address);
  auto refuse = [&](const std::string& what) { return refusal{errc::unreachable, join(host, port) + " " + what}; };
  if (!socket) return refuse("cannot be opened: " + words_for(errno));
  // A server that restarts finds its port held by connections that have ended.
  int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(socket.get(), address.ai_addr, address.ai_addrlen) != 0 || ::listen(socket.get(), SOMAXCONN) != 0)
    return errno == EADDRINUSE ? refuse("is in use: choose another with --node.port")
                               : refuse("cannot be listened at: " + words_for(errno));
  auto local = endpoint_from(::getsockname, socket.get());
  if (!local) return refuse("has no address");
  return listener{std::move(socket), local->host, local->port};
}

std::variant<descriptor, refusal> connect_to(
    const std::string& host, uint16_t port, std::chrono::milliseconds time, const interrupt* stop) {
  auto end = clock::now() + time;
  auto resolved = resolve(host, port, 0);
  if (auto* why = std::get_if<refusal>(&resolved)) return *why;
  auto& list = std::get<addresses>(resolved);
  int left = 0;
  for (auto* address = list.get(); address != nullptr; address = address->ai_next) ++left;
  int error = ETIMEDOUT;
  for (auto* address = list.get(); address != nullptr; address = address->ai_next, --left) {
    auto socket = open_socket(*address);
    auto now = clock::now();
    error = connect_one(socket, *address, now + (end - now) / left, stop);
    if (error == 0) return socket;
    if (error == ECANCELED) return refusal{errc::stopping, "the node is ending"};
  }
  return refusal{errc::unreachable, "cannot connect to " + join(host, port) + ": " + words_for(error)};
}

}  // namespace corolla::actors::wire
