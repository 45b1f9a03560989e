// What a server says of itself, signed and opened again.
#include <limits>

#include <boost/test/unit_test.hpp>

#include "actors/wire/convert.hpp"
#include "tests/support/directory_swarm.hpp"

namespace corolla::tests {

using namespace actors;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(directory_records)

BOOST_AUTO_TEST_CASE(a_record_opens_as_it_was_signed_but_for_figures_that_are_none) {
  auto self = crypto::identity::generate();
  auto what = directory_swarm::record(3, 1, 4);
  what.seq = 7;
  what.forward_per_s = 1234;
  what.load = 0.5f;
  what.numerics = "cpu-bf16";
  for (uint8_t n = 0; n < max_record_pings; ++n)
    what.pings.push_back({crypto::identity::generate().peer(), std::chrono::microseconds{100 + n}});
  auto opened = wire::verify(wire::sign(self, what));
  BOOST_REQUIRE(opened.has_value());
  BOOST_TEST((opened->peer == self.peer()));
  BOOST_TEST(opened->seq == 7u);
  BOOST_TEST(opened->forward_per_s == 1234);
  BOOST_TEST(opened->load == 0.5f);
  BOOST_TEST(opened->numerics == "cpu-bf16");
  BOOST_TEST((opened->pings == what.pings));
  what.load = std::numeric_limits<float>::quiet_NaN();
  what.steps_per_s = std::numeric_limits<float>::infinity();
  what.forward_per_s = -1;
  opened = wire::verify(wire::sign(self, what));
  BOOST_REQUIRE(opened.has_value());
  BOOST_TEST(opened->load == 0);
  BOOST_TEST(opened->steps_per_s == 0);
  BOOST_TEST(opened->forward_per_s == 0);
  // The fullest one fits what a link carries.
  what.addresses.assign(4, std::string(300, 'a'));
  what.model_name.assign(128, 'm');
  what.numerics.assign(16, 'n');
  what.software.assign(64, 's');
  BOOST_TEST(
      wire::to_wire(signed_server_record{wire::sign(self, what), 0ms}, 1).record.values.size() <=
      wire::max_record_bytes);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace corolla::tests
