#include "actors/policy/step_patience.hpp"

#include <boost/test/unit_test.hpp>

namespace corolla::tests {

using namespace std::chrono_literals;
using actors::policy::step_patience;

BOOST_AUTO_TEST_CASE(nothing_is_known_before_a_step_was_seen) {
  const step_patience patience;
  BOOST_TEST(!patience.of(1).has_value());
  BOOST_TEST(!patience.of(64).has_value());
  BOOST_TEST(!patience.per_token().has_value());
}

BOOST_AUTO_TEST_CASE(it_is_six_times_what_steps_took_and_a_quarter_of_a_second_at_the_least) {
  step_patience patience;
  patience.took(1, 10ms);
  BOOST_TEST((patience.of(1) == 250ms));
  step_patience slow;
  slow.took(1, 100ms);
  BOOST_TEST((slow.of(1) == 600ms));
  // An eighth of the way to what is new.
  slow.took(1, 180ms);
  BOOST_TEST((slow.of(1) == 660ms));
}

BOOST_AUTO_TEST_CASE(longer_steps_go_by_the_token_and_stand_in_for_the_first_short_one) {
  step_patience patience;
  patience.took(64, 640ms);
  BOOST_TEST((patience.per_token() == 10ms));
  BOOST_TEST((patience.of(64) == 3840ms));
  BOOST_TEST((patience.of(32) == 1920ms));
  BOOST_TEST((patience.of(1) == 3840ms));
  patience.took(1, 50ms);
  BOOST_TEST((patience.of(1) == 300ms));
}

BOOST_AUTO_TEST_CASE(what_has_not_been_seen_goes_by_what_was_expected) {
  step_patience patience;
  patience.expect(100ms, 50ms);
  BOOST_TEST((patience.of(1) == 1s));
  BOOST_TEST((patience.of(64) == (100ms + 63 * 50ms) * 6));
  BOOST_TEST(!patience.per_token().has_value());
  // What was seen tells more.
  patience.took(64, 640ms);
  BOOST_TEST((patience.of(64) == 3840ms));
  patience.took(1, 50ms);
  BOOST_TEST((patience.of(1) == 300ms));
}

}  // namespace corolla::tests
