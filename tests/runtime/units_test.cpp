#include "runtime/units.hpp"

#include <boost/test/unit_test.hpp>

using namespace corolla::runtime;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_CASE(times_have_a_unit) {
  BOOST_TEST((parse_time("50ms") == 50ms));
  BOOST_TEST((parse_time("1.5s") == 1500ms));
  BOOST_TEST((parse_time("250us") == 250us));
  BOOST_TEST((parse_time("2min") == 2min));
  BOOST_TEST((parse_time("0s") == 0s));
  BOOST_TEST((parse_time("240h") == 240h));
  for (auto wrong : {"", "50", "ms", "-1s", "1 s", "1e3s", "241h", "1s2", "infs", "nans", "99999999999999999999h"})
    BOOST_TEST(!parse_time(wrong), wrong);
}

BOOST_AUTO_TEST_CASE(rates_are_in_bits_and_become_bytes) {
  BOOST_TEST((parse_rate("100Mbit") == 12'500'000u));
  BOOST_TEST((parse_rate("8bit") == 1u));
  BOOST_TEST((parse_rate("2.5Gbit") == 312'500'000u));
  BOOST_TEST((parse_rate("64kbit") == 8'000u));
  for (auto wrong : {"", "100", "0Mbit", "1bit", "100mbit", "-1Mbit", "10MB", "99999999999Gbit"})
    BOOST_TEST(!parse_rate(wrong), wrong);
}

BOOST_AUTO_TEST_CASE(parts_are_percent) {
  BOOST_TEST(parse_part("20%").value() == 0.2, boost::test_tools::tolerance(1e-12));
  BOOST_TEST(parse_part("100%").value() == 1.0);
  for (auto wrong : {"", "20", "101%", "-1%", "%"}) BOOST_TEST(!parse_part(wrong), wrong);
}

BOOST_AUTO_TEST_CASE(counts_are_digits_alone) {
  BOOST_TEST((parse_count("20000") == 20'000u));
  for (auto wrong : {"", "1k", "-1", "1.5", " 1", "99999999999999999999999"}) BOOST_TEST(!parse_count(wrong), wrong);
}
