#include "actors/block_actor.hpp"

#include <boost/test/unit_test.hpp>
#include <limits>
#include <numeric>
#include <set>
#include <thread>

#include <caf/scoped_actor.hpp>

#include "tests/support/fake_span.hpp"
#include "tests/support/virtual_time.hpp"

using namespace corolla;
using namespace corolla::actors;
using namespace corolla::tests;
using namespace std::chrono_literals;

namespace {

constexpr int64_t hidden_size = 4;
constexpr model::block_range all_blocks{0, 8};

model::tensor rows(uint32_t batch, int64_t tokens, float first = 1) {
  std::vector<float> values(batch * tokens * hidden_size);
  std::iota(values.begin(), values.end(), first);
  return model::tensor::of<float>({batch, tokens, hidden_size}, values);
}

std::vector<float> numbers(const model::tensor& t) {
  auto values = t.as<float>();
  return {values.begin(), values.end()};
}

struct fixture {
  virtual_time time;
  std::shared_ptr<fake_span::controls> span = std::make_shared<fake_span::controls>();
  std::shared_ptr<std::atomic<bool>> stop = std::make_shared<std::atomic<bool>>(false);
  block_actor block = make_block();
  user alice{time};
  user bob{time};

  ~fixture() {
    caf::anon_send_exit(block, caf::exit_reason::user_shutdown);
    block = nullptr;
    time.settle();
    BOOST_TEST(span->destroyed);
  }

  block_actor make_block() {
    block_options options;
    options.detached = false;
    options.max_waiting = 3;
    return spawn_block(
        time.system(), std::make_unique<fake_span>(all_blocks, hidden_size, /*cache_tokens=*/100, span), stop, options);
  }

  answer_ptr<uint64_t> reserve(
      user& who, uint32_t max_length, std::chrono::milliseconds timeout = 0ms, uint32_t batch = 1,
      model::block_range part = all_blocks) {
    return who.ask<uint64_t>(block, reserve_atom::value, reserve_request{part, batch, max_length, timeout});
  }
  static block_step step(uint64_t cache, uint32_t position, model::tensor hidden) {
    return {cache, position, {}, std::move(hidden), model::dtype::float32};
  }
  answer_ptr<block_output> run(user& who, block_step s) {
    return who.ask<block_output>(block, step_atom::value, std::move(s));
  }
  answer_ptr<block_output> start(user& who, block_step s) {
    return who.start<block_output>(block, step_atom::value, std::move(s));
  }
  block_status status() { return alice.ask<block_status>(block, status_atom::value)->value.value(); }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_session_in_chunks_gives_what_one_pass_gives, fixture) {
  auto whole = reserve(alice, 8)->value.value(), parts = reserve(bob, 8)->value.value();
  auto all = run(alice, step(whole, 0, rows(1, 4)));
  auto first = run(bob, step(parts, 0, rows(1, 3)));
  auto last = run(bob, step(parts, 3, rows(1, 1, /*first=*/13)));
  BOOST_REQUIRE(all->value && first->value && last->value);
  auto joined = numbers(first->value->hidden);
  for (auto v : numbers(last->value->hidden)) joined.push_back(v);
  BOOST_TEST(numbers(all->value->hidden) == joined, boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(steps_of_two_sessions_that_wait_together_run_as_one_pass, fixture) {
  auto a = reserve(alice, 8)->value.value(), b = reserve(bob, 8)->value.value();
  auto one = start(alice, step(a, 0, rows(1, 1))), other = start(bob, step(b, 0, rows(1, 1)));
  time.settle();
  BOOST_REQUIRE(one->value && other->value);
  BOOST_REQUIRE_EQUAL(span->passes.size(), 1u);
  BOOST_TEST((span->passes[0] == std::vector<model::cache_id>{a, b}));
  BOOST_TEST(one->value->rows == 2u);
  auto s = status();
  BOOST_TEST(s.passes == 1u);
  BOOST_TEST(s.rows == 2u);
  BOOST_TEST(s.steps == 2u);
}

BOOST_FIXTURE_TEST_CASE(chunks_of_one_session_run_in_order_one_a_pass, fixture) {
  auto a = reserve(alice, 8)->value.value();
  auto first = start(alice, step(a, 0, rows(1, 2))), second = start(alice, step(a, 2, rows(1, 2)));
  time.settle();
  BOOST_REQUIRE(first->value && second->value);
  BOOST_TEST(span->passes.size() == 2u);
}

BOOST_FIXTURE_TEST_CASE(sessions_of_different_parts_do_not_share_a_pass, fixture) {
  auto a = reserve(alice, 8)->value.value(), b = reserve(bob, 8, 0ms, 1, {4, 8})->value.value();
  auto one = start(alice, step(a, 0, rows(1, 1))), other = start(bob, step(b, 0, rows(1, 1)));
  time.settle();
  BOOST_REQUIRE(one->value && other->value);
  BOOST_TEST(span->passes.size() == 2u);
}

BOOST_FIXTURE_TEST_CASE(a_step_without_tokens_truncates, fixture) {
  auto a = reserve(alice, 8)->value.value();
  auto before = run(alice, step(a, 0, rows(1, 2)));
  run(alice, step(a, 2, rows(1, 1)));
  auto truncated = run(alice, step(a, 0, rows(1, 0)));
  BOOST_REQUIRE(truncated->value);
  BOOST_TEST(truncated->value->hidden.dim(1) == 0);
  auto again = run(alice, step(a, 0, rows(1, 2)));
  BOOST_TEST(numbers(again->value->hidden) == numbers(before->value->hidden), boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(a_nan_fails_its_own_step_and_nobody_elses, fixture) {
  auto a = reserve(alice, 8)->value.value(), b = reserve(bob, 8)->value.value();
  std::vector<float> bad(hidden_size, std::numeric_limits<float>::quiet_NaN());
  auto failing = start(alice, step(a, 0, model::tensor::of<float>({1, 1, hidden_size}, bad)));
  auto other = start(bob, step(b, 0, rows(1, 1)));
  time.settle();
  BOOST_TEST(failing->failed_with(errc::not_finite), failing->text());
  BOOST_TEST(other->value.has_value());
  // Its cache was not touched.
  BOOST_TEST(run(alice, step(a, 0, rows(1, 1)))->value.has_value());
}

BOOST_FIXTURE_TEST_CASE(what_does_not_fit_is_refused_by_its_name, fixture) {
  auto a = reserve(alice, 8, 0ms, /*batch=*/2)->value.value();
  auto fails = [&](block_step s, errc code) {
    auto result = run(alice, std::move(s));
    BOOST_TEST(result->failed_with(code), result->text());
  };
  fails(step(a, 0, rows(1, 1)), errc::bad_tensor);
  fails(step(a, 0, rows(2, 9)), errc::bad_tensor);
  fails(step(a, 0, rows(2, 1).reshaped({2, hidden_size})), errc::bad_tensor);
  std::vector<int64_t> integers(2 * hidden_size);
  fails(step(a, 0, model::tensor::of<int64_t>({2, 1, hidden_size}, integers)), errc::bad_tensor);
  auto unknown_row = step(a, 0, rows(2, 1));
  unknown_row.hypo_ids = {0, 2};
  fails(unknown_row, errc::bad_tensor);
  unknown_row.hypo_ids = {0};
  fails(unknown_row, errc::bad_tensor);
  fails(step(a, 1, rows(2, 1)), errc::position_mismatch);
  fails(step(a + 1, 0, rows(2, 1)), errc::unknown_session);
  run(alice, step(a, 0, rows(2, 8)));
  fails(step(a, 8, rows(2, 1)), errc::position_mismatch);
  BOOST_TEST(span->passes.size() == 1u);
}

BOOST_FIXTURE_TEST_CASE(a_failing_pass_fails_its_sessions_with_what_happened, fixture) {
  auto a = reserve(alice, 8)->value.value(), b = reserve(bob, 8)->value.value();
  run(bob, step(b, 0, rows(1, 1)));
  span->next_failure = "the device is gone";
  auto failing = start(alice, step(a, 0, rows(1, 1))), queued = start(alice, step(a, 1, rows(1, 1)));
  time.settle();
  BOOST_TEST(failing->failed_with(errc::compute_failed));
  BOOST_TEST(failing->text().find("the device is gone") != std::string::npos, failing->text());
  // What its cache holds is not known any more.
  BOOST_TEST(queued->failed_with(errc::compute_failed), queued->text());
  BOOST_TEST(run(bob, step(b, 1, rows(1, 1)))->value.has_value());
}

BOOST_FIXTURE_TEST_CASE(one_failing_session_of_a_pass_fails_alone, fixture) {
  auto a = reserve(alice, 8)->value.value(), b = reserve(bob, 8)->value.value();
  span->failing = {a};
  auto failing = start(alice, step(a, 0, rows(1, 1))), other = start(bob, step(b, 0, rows(1, 1)));
  time.settle();
  BOOST_TEST(failing->failed_with(errc::compute_failed), failing->text());
  BOOST_TEST(other->value.has_value());
}

BOOST_FIXTURE_TEST_CASE(a_reservation_is_refused_by_what_is_wrong_with_it, fixture) {
  auto fails = [&](answer_ptr<uint64_t> result, errc code) { BOOST_TEST(result->failed_with(code), result->text()); };
  fails(reserve(alice, 8, 0ms, 1, {4, 9}), errc::blocks_mismatch);
  fails(reserve(alice, 8, 0ms, 1, {4, 4}), errc::blocks_mismatch);
  fails(reserve(alice, 0), errc::bad_request);
  fails(reserve(alice, 8, 0ms, /*batch=*/0), errc::bad_request);
  fails(reserve(alice, 8, 0ms, /*batch=*/65), errc::too_large);
  fails(reserve(alice, 1001), errc::too_large);
  fails(reserve(alice, 101, 10s), errc::no_room);
  BOOST_TEST(status().sessions == 0u);
}

BOOST_FIXTURE_TEST_CASE(without_time_to_wait_the_refusal_says_what_is_left, fixture) {
  reserve(alice, 70);
  auto refused = reserve(bob, 31);
  BOOST_TEST(refused->failed_with(errc::no_room));
  BOOST_TEST(refused->text().find("30 of 100 are free") != std::string::npos, refused->text());
}

BOOST_FIXTURE_TEST_CASE(who_waits_for_room_is_let_in_when_it_is_given_back, fixture) {
  auto held = reserve(alice, 70)->value.value();
  auto large = reserve(bob, 100, 10s), small = reserve(bob, 10, 10s);
  BOOST_TEST(large->pending());
  BOOST_TEST(small->pending());  // no way past the large one
  BOOST_TEST(status().waiting == 2u);
  alice.tell(block, release_atom::value, held);
  BOOST_REQUIRE(large->value);
  BOOST_TEST(small->pending());
  bob.tell(block, release_atom::value, *large->value);
  BOOST_REQUIRE(small->value);
  bob.tell(block, release_atom::value, *small->value);
  BOOST_TEST(status().free_tokens == 100u);
}

BOOST_FIXTURE_TEST_CASE(waiting_for_room_ends_in_time, fixture) {
  reserve(alice, 70);
  auto large = reserve(bob, 50, 10s), small = reserve(bob, 10, 20s);
  time.pass(9999ms);
  BOOST_TEST(large->pending());
  time.pass(1ms);
  BOOST_TEST(large->failed_with(errc::no_room), large->text());
  BOOST_TEST(small->value.has_value());
}

BOOST_FIXTURE_TEST_CASE(the_line_for_room_has_an_end, fixture) {
  reserve(alice, 100);
  for (int i = 0; i < 3; ++i) BOOST_TEST(reserve(bob, 10, 10s)->pending());
  BOOST_TEST(reserve(bob, 10, 10s)->failed_with(errc::overloaded));
}

BOOST_FIXTURE_TEST_CASE(pages_of_whoever_goes_away_are_freed, fixture) {
  reserve(alice, 30);
  auto b = reserve(bob, 70)->value.value();
  run(bob, step(b, 0, rows(1, 1)));
  auto waiting = reserve(bob, 10, 10s);
  BOOST_TEST(waiting->pending());
  bob.kill();
  auto s = status();
  BOOST_TEST(s.free_tokens == 70u);
  BOOST_TEST(s.sessions == 1u);
  BOOST_TEST(s.waiting == 0u);
}

BOOST_FIXTURE_TEST_CASE(pages_belong_to_whoever_sends_their_steps, fixture) {
  auto cache = reserve(alice, 30)->value.value();
  run(bob, step(cache, 0, rows(1, 1)));
  alice.kill();
  BOOST_TEST(run(bob, step(cache, 1, rows(1, 1)))->value.has_value());
  bob.kill();
  user carol{time};
  BOOST_TEST(carol.ask<block_status>(block, status_atom::value)->value->free_tokens == 100u);
}

BOOST_FIXTURE_TEST_CASE(a_release_answers_the_steps_that_it_takes_out_of_the_queue, fixture) {
  auto a = reserve(alice, 8)->value.value();
  auto queued = start(alice, step(a, 0, rows(1, 1)));
  alice.tell(block, release_atom::value, a);
  BOOST_TEST(queued->failed_with(errc::cancelled), queued->text());
  BOOST_TEST(span->passes.empty());
  alice.tell(block, release_atom::value, a);  // twice does no harm
  BOOST_TEST(status().free_tokens == 100u);
}

BOOST_FIXTURE_TEST_CASE(a_stop_ends_the_pass_under_way_and_refuses_what_comes_after, fixture) {
  auto a = reserve(alice, 8)->value.value();
  int blocks_run = 0;
  span->between_blocks = [&] {
    if (++blocks_run == 3) *stop = true;
  };
  auto stopped = run(alice, step(a, 0, rows(1, 1)));
  BOOST_TEST(stopped->failed_with(errc::stopping), stopped->text());
  BOOST_TEST(blocks_run == 3);
  BOOST_TEST(run(alice, step(a, 0, rows(1, 1)))->failed_with(errc::stopping));
  BOOST_TEST(reserve(bob, 8)->failed_with(errc::stopping));
}

BOOST_FIXTURE_TEST_CASE(a_block_that_ends_answers_everybody, fixture) {
  auto a = reserve(alice, 8)->value.value();
  auto room = reserve(bob, 100, 10s);
  auto queued = start(alice, step(a, 0, rows(1, 1)));
  // Its exit overtakes the pass: the step is in the queue when it comes.
  time.scheduler().prioritize(block);
  time.scheduler().run_once();
  caf::anon_send_exit(block, caf::exit_reason::kill);
  time.settle();
  BOOST_TEST(!queued->pending());
  BOOST_TEST(!room->pending());
  BOOST_TEST(room->failed_with(errc::stopping), room->text());
}

BOOST_AUTO_TEST_CASE(a_detached_block_computes_on_a_thread_of_its_own) {
  auto span = std::make_shared<fake_span::controls>();
  auto stop = std::make_shared<std::atomic<bool>>(false);
  std::set<std::thread::id> threads;
  span->between_blocks = [&] { threads.insert(std::this_thread::get_id()); };
  {
    caf::actor_system_config config;
    caf::actor_system system{config};
    auto block = spawn_block(system, std::make_unique<fake_span>(all_blocks, hidden_size, 100, span), stop);
    caf::scoped_actor self{system};
    auto unexpected = [](const caf::error& reason) { BOOST_FAIL(describe(reason)); };
    for (int session = 0; session < 4; ++session) {
      uint64_t cache = 0;
      self->request(block, 60s, reserve_atom::value, reserve_request{all_blocks, 1, 8, 0ms})
          .receive([&](uint64_t id) { cache = id; }, unexpected);
      for (uint32_t position = 0; position < 8; ++position)
        self->request(block, 60s, step_atom::value, block_step{cache, position, {}, rows(1, 1), model::dtype::float32})
            .receive([](const block_output& output) { BOOST_TEST(output.rows == 1u); }, unexpected);
    }
    self->send_exit(block, caf::exit_reason::user_shutdown);
    self->wait_for(block);
  }
  BOOST_TEST(span->destroyed);
  BOOST_REQUIRE_EQUAL(threads.size(), 1u);
  BOOST_TEST((*threads.begin() != std::this_thread::get_id()));
}
