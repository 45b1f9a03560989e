// A swarm of three hops and a client of it, kept for many losses.
#pragma once

#include <boost/test/unit_test.hpp>

#include <csignal>
#include <string>
#include <vector>

#include "scripted_session.hpp"
#include "spare_swarm.hpp"

namespace corolla::tests {

inline const std::vector<std::string> spans{"0:1", "1:3", "3:4"};

/// Servers of one block each: no route goes through two of the same one.
inline const std::vector<std::string> single_blocks{"0:1", "1:2", "2:3", "3:4"};

/// Steps at which every kind of loss is tried.
inline const std::vector<size_t> moments{1, 7, 39};

/// At each of them the first hop, one in the middle and the last: the one that has this block.
template <class Case>
void each_time(Case run) {
  for (const uint32_t block : {0, 1, 3})
    for (const auto at : moments) BOOST_TEST_CONTEXT("block " << block << " at step " << at) run(block, at);
}

struct recovery_fixture {
  long_golden golden{"llama3-rope"};
  spare_swarm<server> servers{golden.folder(), spans, /*copies=*/3};
  driven_client client{golden.folder(), servers.address()};

  recovery_fixture() { BOOST_TEST_REQUIRE(golden.margin() > golden.tolerance()); }
};

}  // namespace corolla::tests
