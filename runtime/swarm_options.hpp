// Who may join, and as whom this node joins.
#pragma once

#include <filesystem>
#include <string>

namespace corolla::runtime {

struct swarm_options {
  /// "local" (loopback only, anyone on this machine), "open" (anyone) or "private" (a swarm key).
  std::string kind = "local";
  /// private: the swarm's id ("swarm-…"), and this peer's certificate from `corolla keys invite`.
  std::string id;
  std::filesystem::path certificate;
  /// Ed25519 identity; made if missing.  Empty: a fresh one that is forgotten.
  std::filesystem::path identity;
};

}  // namespace corolla::runtime
