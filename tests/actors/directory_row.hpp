// Nodes in a row, for tests of what their directories know.
#pragma once

#include <algorithm>

#include <boost/test/unit_test.hpp>

#include "actors/wire/convert.hpp"
#include "tests/support/directory_swarm.hpp"

namespace corolla::tests {

using namespace actors;
using namespace std::chrono_literals;

/// Nodes in a row, each linked to the next; the first ones serve.
struct row : directory_swarm {
  void make(size_t nodes, size_t servers = 1) {
    for (size_t n = 0; n < nodes; ++n) add();
    for (size_t n = 0; n + 1 < nodes; ++n) link(n, n + 1);
    for (size_t n = 0; n < servers; ++n) publish(n, record());
    time().settle();
  }
  bool all_know(size_t server, std::initializer_list<size_t> nodes) {
    return std::all_of(nodes.begin(), nodes.end(), [&](size_t n) { return knows(n, server); });
  }
  bool none_knows(size_t server, std::initializer_list<size_t> nodes) {
    return std::none_of(nodes.begin(), nodes.end(), [&](size_t n) { return knows(n, server); });
  }
  signed_server_record signed_by(const crypto::identity& identity, server_record what, uint64_t seq) {
    what.seq = seq;
    return {wire::sign(identity, what), 0ms};
  }
  answer_ptr<bool> give(size_t n, const signed_server_record& what) {
    return me().ask<bool>(at(n).directory, record_atom::value, what, crypto::identity::generate().peer());
  }
};

}  // namespace corolla::tests
