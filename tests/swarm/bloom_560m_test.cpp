// The real BLOOM-560M, where somebody has it: what a newcomer's swarm says.
#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <iostream>
#include <string>

#include "../support/process.hpp"

namespace corolla::tests {

BOOST_AUTO_TEST_CASE(a_cat_sat_in_the_back_of_the_car) {
  const auto* folder = std::getenv("COROLLA_BLOOM_560M");
  if (folder == nullptr) {
    std::cout << "not run: COROLLA_BLOOM_560M names no folder\n";  // what ctest knows a skipped test by
    return;
  }
  const auto script =
      run({COROLLA_SOURCE_DIR "/examples/getting_started.sh", folder},
          {.environment = {"COROLLA=" COROLLA_BINARY_DIR "/corolla", "COROLLA_PORT=0"}, .input = {}, .folder = {}});
  BOOST_TEST_REQUIRE(script.end.is(0), script.err);
  BOOST_TEST(script.out.find("a cat sat in the back of the car,") != script.out.npos, script.out);
}

}  // namespace corolla::tests
