#include "runtime/route_report.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/support/records.hpp"

using namespace corolla::actors;
using namespace corolla::runtime;
using namespace corolla::tests;
using namespace std::chrono_literals;

namespace {

const auto nearly = boost::test_tools::tolerance(1e-6);

route_report report(const std::vector<server_record>& servers, const route_changes& changes = {}) {
  return report_route(servers, our_model(), covering(), changes);
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_rate_is_that_of_all_times_together) {
  const auto told = report({serving(1, {0, 4}, 100), serving(2, {4, 8}, 50)});
  BOOST_TEST(told.now.hops.size() == 2u);
  auto sum = told.now.last_way_s;
  for (const auto& hop : told.now.hops) sum += hop.cost.way + hop.cost.queue + hop.cost.compute;
  // 10 and 20 ms to compute, and half an assumed millisecond for each of three ways.
  BOOST_TEST(sum == 0.0315, nearly);
  BOOST_TEST(told.now.step_s == sum, nearly);
  BOOST_TEST(told.now.tokens_per_s == 1 / sum, nearly);
  BOOST_TEST(!told.changed);
}

BOOST_AUTO_TEST_CASE(each_hop_tells_what_would_be_without_it) {
  const auto told = report({serving(1, {0, 4}, 100), serving(2, {4, 8}, 50), serving(3, {4, 8}, 25)});
  BOOST_REQUIRE(told.now.hops.size() == 2u);
  BOOST_TEST(told.now.hops[0].gap_without == "blocks 0:4 have no server");
  BOOST_TEST(told.now.hops[0].tokens_per_s_without == 0);
  BOOST_TEST(told.now.hops[1].gap_without == "");
  BOOST_TEST(told.now.hops[1].tokens_per_s_without == 1 / 0.0515, nearly);
}

BOOST_AUTO_TEST_CASE(a_change_is_told_beside_what_is) {
  const std::vector<server_record> servers{serving(1, {0, 8}, 100), serving(2, {0, 8}, 50)};
  const auto left = report(servers, {{named(1)}, {}});
  BOOST_TEST((left.now.hops[0].peer == named(1)));
  BOOST_REQUIRE(left.changed);
  BOOST_TEST((left.changed->hops[0].peer == named(2)));
  BOOST_TEST(left.changed->tokens_per_s == 1 / 0.021, nearly);
  // 5 ms more at the first server: it is still the faster one; 50 ms: it is not.
  BOOST_TEST((report(servers, {{}, {{named(1), 5ms}}}).changed->tokens_per_s) == 1 / 0.016, nearly);
  BOOST_TEST((report(servers, {{}, {{named(1), 50ms}}}).changed->hops[0].peer == named(2)));
  BOOST_TEST(report(servers, {{named(1), named(2)}, {}}).changed->problem == std::string{"blocks 0:8 have no server"});
}

BOOST_AUTO_TEST_CASE(where_there_is_no_route_it_says_why) {
  const auto told = report({serving(1, {0, 4})});
  BOOST_TEST(told.now.hops.empty());
  BOOST_TEST(told.now.problem == "blocks 4:8 have no server");
}
