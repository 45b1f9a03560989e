// Servers behind proxies of which it is certain who dialled whom: what passes a proxy depends on it, since what a
// server dials itself goes past its own.
#pragma once

#include <algorithm>
#include <filesystem>
#include <list>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/proxied_server.hpp"

namespace corolla::tests {

/// Of two servers of neighbouring spans, the one that dialled: the one that gives its outputs, or that takes them.
enum class dialled_by { giver, taker };

class proxied_chain {
 public:
  struct part {
    std::string span;
    size_t copies = 1;
  };

  /// Before servers tell the swarm of themselves they have links to all those of the span that started before theirs.
  /// A server that is silent keeps its links to others.
  proxied_chain(
      const std::filesystem::path& model, std::vector<part> parts, dialled_by who,
      const runtime::fault_settings& faults = {}) {
    const auto ready = first_.wait_for_line("ready ", patience);
    address_ = ready.substr(6, ready.find(' ', 6) - 6);
    if (who == dialled_by::giver) std::reverse(parts.begin(), parts.end());
    std::string peers = '"' + address_ + '"';
    for (const auto& p : parts) {
      const std::vector<std::string> options{
          "--node.blocks=" + p.span, "--node.liveness=60s", "--node.peers=[" + peers + "]"};
      std::vector<proxied_server*> started;
      for (size_t i = 0; i < p.copies; ++i) started.push_back(&servers_.emplace_back(model, options, faults));
      peers = '"' + address_ + '"';
      for (auto* s : started) {
        s->wait_until_ready();
        peers += ",\"" + s->address() + '"';
      }
    }
  }

  /// Of a node that serves no blocks.
  const std::string& address() const { return address_; }
  /// Throws std::out_of_range where there is no such server.
  proxied_server& find(const std::string& peer) {
    for (auto& s : servers_)
      if (s.node.peer() == peer) return s;
    throw std::out_of_range("no server " + peer);
  }

 private:
  process first_{start_corolla({"node", "--node.serve=false", "--node.port=0"})};
  std::string address_;
  std::list<proxied_server> servers_;
};

}  // namespace corolla::tests
