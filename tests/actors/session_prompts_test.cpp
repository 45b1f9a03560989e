// Deep prompts of a session: when they are taken, what they change, and who is answered.
#include <limits>

#include "tests/actors/session_fixture.hpp"

using namespace corolla;
using namespace corolla::actors;
using namespace corolla::tests;

namespace {

struct prompted_fixture : session_fixture {
  prompted_fixture() { config.prompt_tokens = 2; }

  model::tensor prompts(float first = 1) const {
    std::vector<float> values(config.blocks.size() * config.prompt_tokens * hidden_size);
    std::iota(values.begin(), values.end(), first);
    return model::tensor::of<float>({config.blocks.size(), config.prompt_tokens, hidden_size}, values);
  }
  answer_ptr<taken> give(const session_actor& to, model::tensor what) {
    return upstream.ask<taken>(to, prompts_atom::value, std::move(what));
  }
  /// What the blocks make of one step at the beginning.
  std::vector<float> exact(const model::tensor& hidden, const model::tensor& with) const {
    fake_span blocks{config.blocks, hidden_size, cache_tokens, std::make_shared<fake_span::controls>()};
    model::span_step s;
    s.cache = blocks.reserve(config.blocks, config.batch, config.max_length).value();
    s.hidden = hidden;
    blocks.set_prompts(s.cache, with);
    const std::atomic<bool> never{false};
    return numbers(blocks.run({&s, 1}, never).at(0).hidden);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(prompts_change_what_the_first_positions_give, prompted_fixture) {
  auto session = open();
  BOOST_TEST(give(session, prompts())->value.has_value());
  const auto s = chunk(0, 3);
  BOOST_TEST(send(session, s)->value.has_value());
  BOOST_REQUIRE_EQUAL(out->steps.size(), 1u);
  const auto output = numbers(out->steps[0].hidden);
  BOOST_TEST(output == exact(s.hidden, prompts()), boost::test_tools::per_element());
  BOOST_TEST((output != exact(s.hidden, prompts(/*first=*/2))));
}

BOOST_FIXTURE_TEST_CASE(no_step_is_taken_before_the_prompts, prompted_fixture) {
  auto session = open();
  const auto s = chunk(0, 2);
  auto restored = s;
  restored.restores = restored_part::rows;
  restored.from = config.restorer;
  for (const auto& early : {s, restored}) {
    const auto refused = send(session, early);
    BOOST_TEST(refused->failed_with(errc::protocol_violation), refused->text());
  }
  BOOST_TEST(span->passes.empty());
  give(session, prompts());
  BOOST_TEST(send(session, s)->value.has_value());
}

BOOST_FIXTURE_TEST_CASE(prompts_of_another_shape_are_refused_and_the_session_waits_on, prompted_fixture) {
  auto session = open();
  const auto right = prompts();
  for (const auto& wrong :
       {right.slice(0, 0, 7), right.slice(1, 0, 1), right.slice(2, 0, 3), right.reshaped({8, 8}),
        right.reshaped({2, 8, 4}), model::tensor{}}) {
    const auto refused = give(session, wrong);
    BOOST_TEST(refused->failed_with(errc::bad_tensor), refused->text());
  }
  BOOST_TEST(give(session, right)->value.has_value());
  BOOST_TEST(client->failed.empty());
}

BOOST_FIXTURE_TEST_CASE(prompts_that_nobody_awaits_are_refused, prompted_fixture) {
  auto session = open();
  give(session, prompts());
  BOOST_TEST(give(session, prompts(/*first=*/2))->failed_with(errc::bad_request));
  const auto s = chunk(0, 2);
  send(session, s);
  BOOST_REQUIRE_EQUAL(out->steps.size(), 1u);
  BOOST_TEST(numbers(out->steps[0].hidden) == exact(s.hidden, prompts()), boost::test_tools::per_element());

  config.prompt_tokens = 0;
  auto plain = open();
  config.prompt_tokens = 2;
  BOOST_TEST(give(plain, prompts())->failed_with(errc::bad_request));
  BOOST_TEST(client->failed.empty());
}

BOOST_FIXTURE_TEST_CASE(prompts_that_are_not_finite_end_their_own_session, prompted_fixture) {
  auto bad = open(), good = open();
  for (const auto value : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    std::vector<float> values(config.blocks.size() * config.prompt_tokens * hidden_size, 1);
    values.back() = value;
    const auto refused = give(bad, model::tensor::of<float>(prompts().dims(), values));
    BOOST_TEST(refused->failed_with(errc::not_finite), refused->text());
    BOOST_TEST(failure() == errc::not_finite);
    BOOST_TEST(client->failed.back().text == "blocks 0:8: a deep prompt is not a finite number");
    BOOST_TEST(ended(bad));
    bad = open();
  }
  give(good, prompts());
  BOOST_TEST(send(good, chunk(0, 1))->value.has_value());
  BOOST_TEST(client->failed.size() == 2u);
}

BOOST_FIXTURE_TEST_CASE(whoever_gave_prompts_is_answered_when_the_session_ends_meanwhile, prompted_fixture) {
  auto session = open();
  const auto given = upstream.start<taken>(session, prompts_atom::value, prompts());
  upstream.tell(session, close_atom::value);  // before the block has had its turn
  BOOST_TEST(given->failed_with(errc::unknown_session), given->text());
}
