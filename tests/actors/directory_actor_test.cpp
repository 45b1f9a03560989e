#include <random>

#include "tests/actors/directory_row.hpp"

namespace corolla::tests {
namespace {

const auto silence = wire::limits::default_silence;

}  // namespace

BOOST_FIXTURE_TEST_SUITE(directory, row)

BOOST_AUTO_TEST_CASE(what_one_node_publishes_all_hear_at_once) {
  make(5, 2);
  BOOST_TEST(all_know(0, {0, 1, 2, 3, 4}));
  BOOST_TEST(all_know(1, {0, 1, 2, 3, 4}));
}

BOOST_AUTO_TEST_CASE(a_newcomer_gets_everything_and_who_comes_back_only_what_it_lacks) {
  make(3, 3);
  auto late = add();
  link(late, 0);
  BOOST_TEST(all_know(0, {late}));
  BOOST_TEST(all_know(2, {late}));
  auto before = status(late);
  end(late, 0);
  // It suspects the node whose link it lost, which refutes that once it hears of it.
  publish(1, record(1, 1, 2));
  link(late, 0);
  pass(2s);
  BOOST_TEST(all_know(0, {late, 1, 2}));
  auto after = status(late);
  BOOST_TEST(after.known == before.known, "what it had came once more");
  BOOST_TEST(after.taken - before.taken == 2u);
}

BOOST_AUTO_TEST_CASE(a_goodbye_is_heard_everywhere_within_a_second) {
  make(5);
  for (size_t n = 0; n + 1 < 5; ++n) {
    end(n, n + 1);
    auto& links = link(n, n + 1);
    links.there->delay = links.back->delay = 100ms;
  }
  pass(2s);
  BOOST_TEST(all_know(0, {1, 2, 3, 4}));
  auto before = status(1);
  me().tell(at(0).node, stop_atom::value);
  pass(1s);
  for (size_t n = 1; n < 5; ++n) BOOST_TEST(!knows(n, 0), "node " << n);
  BOOST_TEST(status(1).taken == before.taken + 1, "it said so itself");
  BOOST_TEST(status(1).found_dead == before.found_dead);
}

BOOST_AUTO_TEST_CASE(after_a_goodbye_the_older_record_is_never_taken_again) {
  make(3);
  auto old = me().ask<std::vector<signed_server_record>>(
      at(2).directory, record_atom::value, crypto::identity::generate().peer());
  me().tell(at(0).node, stop_atom::value);
  pass(1s);
  BOOST_REQUIRE(old->value);
  for (auto pause : {0s, 70s, 30s}) {
    pass(pause);
    for (auto& record : *old->value) give(2, {record.record, 0ms});
    BOOST_TEST(none_knows(0, {1, 2}));
  }
}

BOOST_AUTO_TEST_CASE(who_dies_without_a_word_is_gone_everywhere_within_the_silence_and_a_second) {
  make(5);
  pass(7s);
  lose(0);
  pass(silence + 1s);
  BOOST_TEST(none_knows(0, {1, 2, 3, 4}));
}

BOOST_AUTO_TEST_CASE(who_is_killed_is_gone_everywhere_within_a_second) {
  make(5);
  kill(0);
  pass(1s);
  BOOST_TEST(none_knows(0, {1, 2, 3, 4}));
}

BOOST_AUTO_TEST_CASE(in_the_middle_of_a_row_each_half_loses_what_it_lost_a_link_to) {
  make(5, 5);
  pass(1s);
  lose(2);
  pass(silence + 1s);
  BOOST_TEST(none_knows(2, {0, 1, 3, 4}));
}

BOOST_AUTO_TEST_CASE(a_server_that_one_node_cannot_reach_refutes_and_stays) {
  make(3);
  link(2, 0);  // a ring
  cut(0, 1);
  pass(silence + 1s);
  BOOST_TEST(all_know(0, {1, 2}));
  BOOST_TEST(status(0).refuted >= 1u);
  BOOST_TEST(status(1).found_dead == 1u);
  BOOST_TEST(status(2).found_dead == 0u);
}

BOOST_AUTO_TEST_CASE(a_node_that_was_cut_off_and_returns_is_back_within_two_seconds) {
  make(4, 4);
  for (auto away : {10s, 55s, 300s}) {
    cut(0, 1);
    unreachable(0);
    pass(away);
    BOOST_TEST(none_knows(0, {1, 3}));
    BOOST_TEST(none_knows(1, {0}));
    link(0, 1);
    reachable(0);
    pass(2s);
    for (size_t server = 0; server < 4; ++server)
      BOOST_TEST(all_know(server, {0, 1, 2, 3}), "server " << server << " after " << away.count() << " s");
  }
}

BOOST_AUTO_TEST_CASE(a_record_that_its_owner_does_not_refresh_is_gone_after_its_life) {
  make(2, 0);
  auto stranger = crypto::identity::generate();
  auto what = record();
  give(0, signed_by(stranger, what, 5));
  BOOST_TEST(snapshot(1).size() == 1u);
  pass(59s);
  BOOST_TEST(snapshot(0).size() == 1u);
  pass(1s);
  BOOST_TEST(snapshot(0).empty());
  BOOST_TEST(snapshot(1).empty());
  give(0, signed_by(stranger, what, 5));
  BOOST_TEST(snapshot(0).empty());
  BOOST_TEST(status(0).buried == 1u);
}

BOOST_AUTO_TEST_CASE(a_published_record_is_kept_fresh) {
  make(3);
  pass(300s);
  BOOST_TEST(all_know(0, {1, 2}));
}

BOOST_AUTO_TEST_CASE(forged_replayed_and_outlived_records_are_dropped_and_counted) {
  make(2, 0);
  auto stranger = crypto::identity::generate();
  auto good = signed_by(stranger, record(), 5);
  auto forged = good;
  forged.record.payload.back() ^= std::byte{1};
  BOOST_TEST(give(0, forged)->failed_with(errc::bad_request));
  auto other = good;
  other.record.key = signed_by(crypto::identity::generate(), record(), 5).record.key;
  BOOST_TEST(give(0, other)->failed_with(errc::bad_request));
  BOOST_TEST(status(0).forged == 2u);
  BOOST_TEST(*give(0, good)->value);
  BOOST_TEST(!*give(0, good)->value);
  BOOST_TEST(!*give(0, signed_by(stranger, record(), 4))->value);
  BOOST_TEST(status(0).known == 2u);
  auto outlived = signed_by(stranger, record(), 6);
  outlived.age = 60s;
  BOOST_TEST(!*give(0, outlived)->value);
  BOOST_TEST(status(0).too_old == 1u);
  BOOST_TEST(snapshot(0).size() == 1u);
}

BOOST_AUTO_TEST_CASE(records_that_cannot_be_read_end_the_link_and_are_counted) {
  make(2, 0);
  // What one node sends as its digest reaches the other as a record: too short, and of another form.
  auto& links = link(0, 1, /*tamperable=*/true);
  links.there->tamper = [](wire::incoming message) {
    if (message.type == wire::frame_type::digest || message.type == wire::frame_type::snapshot)
      message.type = wire::frame_type::record;
    return std::vector{std::move(message)};
  };
  pass(6s);
  BOOST_TEST(status(1).unreadable >= 1u);
}

BOOST_AUTO_TEST_CASE(who_hands_over_forgeries_is_linked_no_more) {
  make(2, 0);
  auto links = [&] { return me().ask<node_status>(at(0).node, status_atom::value)->value.value().links; };
  auto forged = signed_by(crypto::identity::generate(), record(), 1);
  forged.record.payload.back() ^= std::byte{1};
  signed_suspicion slander{wire::sign(at(1).identity, suspicion{at(0).id(), 1, {}})};
  slander.record.payload.back() ^= std::byte{1};
  for (int i = 0; i < 8; ++i) me().ask<bool>(at(0).directory, record_atom::value, forged, at(1).id());
  for (int i = 0; i < 7; ++i) me().tell(at(0).directory, suspect_atom::value, slander, at(1).id());
  pass(1s);
  BOOST_TEST(links() == 1u);
  me().tell(at(0).directory, suspect_atom::value, slander, at(1).id());
  pass(1s);
  BOOST_TEST(links() == 0u);
  BOOST_TEST(status(0).forged == 16u);
}

BOOST_AUTO_TEST_CASE(what_is_no_newer_than_a_record_that_is_held_is_not_verified) {
  make(1, 0);
  auto owner = crypto::identity::generate();
  give(0, signed_by(owner, record(), 5));
  auto forged = signed_by(owner, record(/*model=*/2), 5);
  forged.record.signature[0] ^= 1;
  BOOST_TEST(!give(0, forged)->value.value_or(true));
  BOOST_TEST(status(0).known == 1u);
  BOOST_TEST(status(0).forged == 0u);
  BOOST_TEST((snapshot(0).front().model == record().model));
  auto newer = signed_by(owner, record(/*model=*/2), 6);
  newer.record.signature[0] ^= 1;
  BOOST_TEST(give(0, newer)->failed_with(errc::bad_request));
  BOOST_TEST(status(0).forged == 1u);
}

BOOST_AUTO_TEST_CASE(strangers_can_fill_a_directory_only_up_to_its_bound) {
  policy::gossip_limits limits;
  limits.records = 8;
  add(true, nullptr, limits);
  for (int i = 0; i < 20; ++i) give(0, signed_by(crypto::identity::generate(), record(), 1));
  BOOST_TEST(snapshot(0).size() == 8u);
  BOOST_TEST(status(0).full == 12u);
  publish(0, record());
  BOOST_TEST(knows(0, 0));
}

BOOST_AUTO_TEST_CASE(the_suspicion_of_a_stranger_or_a_forged_one_removes_nobody) {
  make(3);
  auto seq = snapshot(2).front().seq;
  unreachable(0);
  auto stranger = crypto::identity::generate();
  signed_suspicion by_stranger{wire::sign(stranger, suspicion{at(0).id(), seq, {}})};
  me().tell(at(2).directory, suspect_atom::value, by_stranger, crypto::identity::generate().peer());
  auto forged = by_stranger;
  forged.record.payload.back() ^= std::byte{1};
  me().tell(at(2).directory, suspect_atom::value, forged, stranger.peer());
  pass(5s);
  BOOST_TEST(all_know(0, {2}));
  BOOST_TEST(status(2).refused_suspicions == 1u);
  BOOST_TEST(status(2).forged == 1u);
}

BOOST_AUTO_TEST_CASE(a_restart_with_a_clock_that_was_put_back_is_believed_all_the_same) {
  make(3);
  auto ahead = snapshot(2).front().seq + 1'000'000;
  auto old = signed_by(at(0).identity, record(1, 2, 3), ahead);
  give(2, old);
  pass(6s);
  for (size_t n = 0; n < 3; ++n) {
    auto records = snapshot(n);
    BOOST_REQUIRE(records.size() == 1u);
    BOOST_TEST(records.front().seq > ahead);
    BOOST_TEST((records.front().blocks == model::block_range{0, 1}));
  }
}

BOOST_AUTO_TEST_CASE(and_one_that_was_found_dead_before_it) {
  make(3);
  const auto ahead = snapshot(2).front().seq + 1'000'000;
  give(2, signed_by(at(0).identity, record(1, 2, 3), ahead));
  pass(6s);
  kill(0);
  pass(1s);
  BOOST_TEST(none_knows(0, {1, 2}));
  const auto back = add(true, &at(0).identity);
  link(back, 1);
  publish(back, record());
  pass(2s);
  BOOST_TEST(all_know(back, {1, 2}));
  for (size_t n = 1; n < 3; ++n) BOOST_TEST(snapshot(n).front().seq > ahead);
}

BOOST_AUTO_TEST_CASE(figures_are_told_when_they_moved_by_a_quarter_and_every_two_seconds_at_most) {
  make(2);
  auto heard = [&] { return status(1).taken; };
  auto what = record();
  auto first = heard();
  for (int i = 0; i < 10; ++i) {
    what.free_tokens = 1000 - 20 * i;  // moves by a fifth in all
    publish(0, what);
    pass(500ms);
  }
  BOOST_TEST(heard() == first);
  for (int i = 0; i < 20; ++i) {
    what.load = i % 2 == 0 ? 1.0f : 0.0f;
    publish(0, what);
    pass(500ms);
  }
  BOOST_TEST(heard() - first >= 3u);
  BOOST_TEST(heard() - first <= 6u);
  auto before = heard();
  what.state = server_state::draining;
  publish(0, what);
  BOOST_TEST(heard() == before + 1);
}

BOOST_AUTO_TEST_CASE(another_process_with_the_same_identity_is_refused_and_the_first_goes_on) {
  make(2);
  auto twin = add(/*is_server=*/true, &at(0).identity);
  for (bool dials : {true, false}) {
    auto& links = dials ? link(twin, 1) : link(1, twin);
    pass(1s);
    auto up = me().ask<wire::link_status>(dials ? links.dialler : links.other, status_atom::value);
    BOOST_TEST(up->error.has_value(), "the twin's link is up");
  }
  auto linked = me().ask<node_status>(at(1).node, status_atom::value);
  BOOST_REQUIRE(linked->value);
  BOOST_TEST(linked->value->links == 1u);
  auto first = me().ask<node_status>(at(0).node, status_atom::value);
  BOOST_REQUIRE(first->value);
  BOOST_TEST(first->value->links == 1u);
  BOOST_TEST(all_know(0, {0, 1}));
}

BOOST_AUTO_TEST_CASE(whatever_is_cut_and_joined_all_agree_two_seconds_after_the_last_join) {
  for (uint32_t seed = 1; seed <= 20; ++seed) {
    row nodes;
    nodes.make(5, 5);
    nodes.link(4, 0);
    std::mt19937 random{seed};
    for (int i = 0; i < 12; ++i) {
      auto n = random() % 5;
      auto next = (n + 1) % 5;
      if (random() % 2 == 0)
        nodes.cut(n, next);
      else
        nodes.end(n, next);
      nodes.pass(std::chrono::milliseconds{random() % 9000});
      if (random() % 3 > 0) nodes.link(n, next);
    }
    for (size_t n = 0; n < 5; ++n) nodes.link(n, (n + 1) % 5);
    nodes.pass(2s);
    for (size_t server = 0; server < 5; ++server)
      BOOST_TEST_REQUIRE(nodes.all_know(server, {0, 1, 2, 3, 4}), "seed " << seed << ", server " << server);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace corolla::tests
