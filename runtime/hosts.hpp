// What the name of a host says of who can reach it, before anything is resolved.
#pragma once

#include <string>

namespace corolla::runtime {

/// Reached from this machine alone.
bool is_loopback(const std::string& host);
/// Stands for every address of this machine, however it is spelt ("0.0.0.0", "::", "0"): one listens there, and nobody
/// dials it.
bool is_wildcard(const std::string& host);

}  // namespace corolla::runtime
