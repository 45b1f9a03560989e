// A swarm that is kept for many losses: of each span several servers, and another one for each that was struck, which
// starts while the test goes on.
#pragma once

#include <algorithm>
#include <filesystem>
#include <list>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/swarm.hpp"

namespace corolla::tests {

/// `Server` is `server`, or what has its functions and is made as it is.
template <class Server>
class spare_swarm {
 public:
  /// `copies` servers of each of `spans`, all with the same further options.
  spare_swarm(
      std::filesystem::path model, const std::vector<std::string>& spans, size_t copies,
      std::vector<std::string> options = {})
      : model_{std::move(model)}, spans_{spans}, copies_{copies}, options_{std::move(options)} {
    const auto ready = first_.wait_for_line("ready ", patience);
    address_ = ready.substr(6, ready.find(' ', 6) - 6);
    for (size_t copy = 0; copy < copies; ++copy)
      for (const auto& span : spans) start(span);
    wait_for_servers();
  }

  /// Of a node that serves no blocks and is never struck.
  const std::string& address() const { return address_; }

  /// Throws std::out_of_range where there is no such server.
  Server& find(const std::string& peer) { return *member_of(peer)->of; }
  void strike(const std::string& peer, int signal) { process_of(find(peer)).signal(signal); }
  /// A server that was struck ends, and another one of its span takes its place.
  void replace(const std::string& peer) {
    const auto struck = member_of(peer);
    const auto span = struck->span;
    servers_.erase(struck);
    start(span);
  }
  /// So many servers of each span are ready.
  void wait_for_servers(size_t of_each) {
    for (const auto& span : spans_)
      while (std::count_if(servers_.begin(), servers_.end(), [&](auto& m) {
               return m.span == span && !m.peer.empty();
             }) < static_cast<std::ptrdiff_t>(of_each))
        wait_for_one(span);
  }
  /// All of them are.
  void wait_for_servers() { wait_for_servers(copies_); }

 private:
  struct member {
    std::string span;
    std::unique_ptr<Server> of;
    std::string peer;  // empty until it is ready
  };

  static process& process_of(server& s) { return s.child(); }
  template <class Other>
  static process& process_of(Other& s) {
    return s.node.child();
  }

  void start(const std::string& span) {
    auto options = options_;
    options.insert(options.end(), {"--node.blocks=" + span, "--node.peers=[\"" + address_ + "\"]"});
    servers_.push_back({span, std::make_unique<Server>(model_, options), {}});
  }
  void wait_for_one(const std::string& span) {
    auto& starting = *std::find_if(
        servers_.begin(), servers_.end(), [&](const member& m) { return m.span == span && m.peer.empty(); });
    starting.of->wait_until_ready();
    const auto& address = starting.of->address();
    starting.peer = address.substr(10, address.find('@') - 10);  // corolla://PEER@
  }
  typename std::list<member>::iterator member_of(const std::string& peer) {
    auto found = servers_.end();
    const auto look = [&] {
      found = std::find_if(servers_.begin(), servers_.end(), [&](const member& m) { return m.peer == peer; });
      return found != servers_.end();
    };
    // A client may know of one before it has said here that it is ready.
    if (!look()) wait_for_servers();
    if (!look()) throw std::out_of_range("no server " + peer);
    return found;
  }

  std::filesystem::path model_;
  std::vector<std::string> spans_;
  size_t copies_;
  std::vector<std::string> options_;
  process first_{start_corolla({"node", "--node.serve=false", "--node.port=0"})};
  std::string address_;
  std::list<member> servers_;
};

}  // namespace corolla::tests
