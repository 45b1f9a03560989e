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
inline const std::vector<model::block_range> ranges{{0, 1}, {1, 3}, {3, 4}};

struct recovery_fixture {
  long_golden golden{"llama3-rope"};
  spare_swarm<server> servers{golden.folder(), spans, /*copies=*/3};
  driven_client client{golden.folder(), servers.address()};

  recovery_fixture() { BOOST_TEST_REQUIRE(golden.margin() > golden.tolerance()); }
};

}  // namespace corolla::tests
