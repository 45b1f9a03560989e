#include "runtime/fault_proxy.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>
#include <future>
#include <list>
#include <mutex>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "runtime/fault_connection.hpp"
#include "runtime/tcp.hpp"

namespace corolla::runtime {
namespace {

using clock = std::chrono::steady_clock;

constexpr size_t max_connections = 256;
/// Where no connection can be taken (no descriptor is left, say) it is tried again after this.
constexpr auto accept_pause = std::chrono::milliseconds{100};

}  // namespace

class fault_proxy::worker {
 public:
  explicit worker(fault_settings settings)
      : settings_(std::move(settings)),
        listening_(tcp_listen(settings_.listen_host, settings_.listen_port)),
        wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!wake_) throw std::runtime_error("no event descriptor: " + std::generic_category().message(errno));
    if (settings_.port != 0) target_ = tcp_resolve(settings_.host, settings_.port);
    address_ = tcp_local_name(listening_);
    thread_ = std::thread{[this] { run(); }};
  }
  ~worker() {
    call([this] { stopping_ = true; });
    thread_.join();
  }
  worker(const worker&) = delete;
  worker& operator=(const worker&) = delete;

  const std::string& address() const { return address_; }

  /// Runs `what` in the worker's thread, and returns when it is done.
  void call(std::function<void()> what) {
    // Shared, since the worker may still be inside it when the waiting is over.
    const auto done = std::make_shared<std::promise<void>>();
    auto end = done->get_future();
    {
      const std::lock_guard lock{mutex_};
      calls_.emplace_back([done, what = std::move(what)] {
        what();
        done->set_value();
      });
    }
    const uint64_t one = 1;
    // A full counter has woken it already.
    if (::write(wake_.get(), &one, sizeof one) < 0 && errno != EAGAIN) std::terminate();
    end.wait();
  }

  void lead_to(tcp_address target) {
    call([&] { target_ = std::move(target); });
  }
  void cut() {
    call([this] {
      for (auto& c : connections_) forget(c);
      connections_.clear();
    });
  }
  void stall(direction which) {
    call([&] {
      stalled_[static_cast<size_t>(which)] = true;
      for (auto& c : connections_) c.hold(which);
    });
  }
  void resume() {
    call([this] {
      stalled_ = {};
      for (auto& c : connections_) c.release();
    });
  }
  size_t connections() {
    size_t count = 0;
    call([&] { count = connections_.size(); });
    return count;
  }
  uint64_t passed(direction which) {
    uint64_t count = 0;
    call([&] { count = count_passed(which); });
    return count;
  }
  bool wait_until_passed(direction which, uint64_t bytes, std::chrono::milliseconds longest) {
    std::future<void> then;
    call([&] { then = waiters_.emplace_back(which, bytes).then.get_future(); });
    return then.wait_for(longest) == std::future_status::ready;
  }

 private:
  /// Of somebody who waits for bytes to be passed on.
  struct waiter {
    waiter(direction w, uint64_t b) : which(w), bytes(b) {}
    direction which;
    uint64_t bytes;
    std::promise<void> then;
  };

  uint64_t count_passed(direction which) const {
    auto count = passed_before_[static_cast<size_t>(which)];
    for (const auto& c : connections_) count += c.passed(which);
    return count;
  }
  void run() {
    while (!stopping_) {
      wait();
      make_calls();
      if (stopping_) break;
      const auto now = clock::now();
      accept_all(now);
      for (auto at = connections_.begin(); at != connections_.end();)
        if (at->advance(now)) {
          ++at;
        } else {
          forget(*at);
          at = connections_.erase(at);
        }
      std::erase_if(waiters_, [this](waiter& w) {
        const bool is_over = count_passed(w.which) >= w.bytes;
        if (is_over) w.then.set_value();
        return is_over;
      });
    }
    connections_.clear();
  }

  void wait() {
    const auto now = clock::now();
    auto next = accept_again_;
    const auto listens = connections_.size() < max_connections && now >= accept_again_;
    if (listens) next = fault_line::never;
    std::vector<pollfd> waiting{{wake_.get(), POLLIN, 0}, {listens ? listening_.get() : -1, POLLIN, 0}};
    for (const auto& c : connections_) {
      for (const auto& one : c.interest()) waiting.push_back(one);
      next = std::min(next, c.next_event(now));
    }
    timespec left{};
    if (next != fault_line::never) {
      const auto time = std::max(next - now, clock::duration{0});
      const auto whole = std::chrono::floor<std::chrono::seconds>(time);
      left = {whole.count(), std::chrono::nanoseconds{time - whole}.count()};
    }
    if (::ppoll(waiting.data(), waiting.size(), next == fault_line::never ? nullptr : &left, nullptr) < 0) return;
    uint64_t count = 0;
    if (waiting[0].revents != 0 && ::read(wake_.get(), &count, sizeof count) < 0 && errno != EAGAIN) std::terminate();
  }

  void make_calls() {
    std::vector<std::function<void()>> calls;
    {
      const std::lock_guard lock{mutex_};
      calls = std::exchange(calls_, {});
    }
    for (auto& one : calls) one();
  }

  void accept_all(clock::time_point now) {
    while (connections_.size() < max_connections && now >= accept_again_) {
      tcp_socket client{::accept4(listening_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
      if (!client) {
        if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR) accept_again_ = now + accept_pause;
        return;
      }
      auto target = target_ ? tcp_begin_connect(*target_) : tcp_socket{};
      if (!target) continue;
      connections_.emplace_back(settings_, ++accepted_, std::move(client), std::move(target), now);
      for (auto which : {direction::to, direction::from})
        if (stalled_[static_cast<size_t>(which)]) connections_.back().hold(which);
    }
  }

  /// Before a connection goes.
  void forget(const fault_connection& gone) {
    for (auto which : {direction::to, direction::from})
      passed_before_[static_cast<size_t>(which)] += gone.passed(which);
  }

  const fault_settings settings_;
  tcp_socket listening_, wake_;
  std::string address_;
  std::mutex mutex_;
  std::vector<std::function<void()>> calls_;  // behind the mutex
  // The thread's own from here on.
  bool stopping_ = false;
  std::optional<tcp_address> target_;
  std::list<fault_connection> connections_;
  std::array<bool, 2> stalled_{};
  std::array<uint64_t, 2> passed_before_{};
  std::vector<waiter> waiters_;
  uint64_t accepted_ = 0;
  clock::time_point accept_again_{};
  std::thread thread_;
};

fault_proxy::fault_proxy(fault_settings settings) : worker_(std::make_unique<worker>(std::move(settings))) {}

fault_proxy::~fault_proxy() = default;

uint16_t fault_proxy::port() const {
  const auto& name = worker_->address();
  return static_cast<uint16_t>(std::stoul(name.substr(name.rfind(':') + 1)));
}

std::string fault_proxy::address() const {
  return worker_->address();
}

void fault_proxy::lead_to(const std::string& host, uint16_t port) {
  worker_->lead_to(tcp_resolve(host, port));
}

void fault_proxy::cut() {
  worker_->cut();
}

void fault_proxy::stall(direction which) {
  worker_->stall(which);
}

void fault_proxy::resume() {
  worker_->resume();
}

size_t fault_proxy::connections() {
  return worker_->connections();
}

uint64_t fault_proxy::passed(direction which) {
  return worker_->passed(which);
}

bool fault_proxy::wait_until_passed(direction which, uint64_t bytes, std::chrono::milliseconds longest) {
  return worker_->wait_until_passed(which, bytes, longest);
}

}  // namespace corolla::runtime
