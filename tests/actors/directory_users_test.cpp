// Who asks a directory: watchers, clients that plan, and whoever waits for a server.
#include <caf/typed_event_based_actor.hpp>

#include "actors/route_plan.hpp"
#include "tests/actors/directory_row.hpp"

namespace corolla::tests {
namespace {

struct watcher_counts {
  int changes = 0;
};

directory_watcher_actor::behavior_type count(
    directory_watcher_actor::pointer, const std::shared_ptr<watcher_counts>& counts) {
  return {[counts](changed_atom) { ++counts->changes; }};
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(directory_users, row)

BOOST_AUTO_TEST_CASE(whoever_looks_for_a_server_may_wait_until_it_is_heard_of) {
  make(3, 0);
  auto find = [&](size_t n, size_t server, std::chrono::milliseconds patience) {
    return me().ask<server_record>(at(n).directory, find_atom::value, at(server).id(), patience);
  };
  BOOST_TEST(find(2, 0, 0ms)->failed_with(errc::unknown_peer));
  auto early = find(2, 0, 500ms), late = find(2, 0, 2s), other = find(2, 1, 2s);
  pass(499ms);
  BOOST_TEST(early->pending());
  pass(1ms);
  BOOST_TEST(early->failed_with(errc::unknown_peer), early->text());
  BOOST_TEST(late->pending());
  publish(0, record());
  time().settle();
  BOOST_REQUIRE(late->value.has_value());
  BOOST_TEST((late->value->peer == at(0).id()));
  BOOST_TEST(other->pending());
  // A goodbye is no word of where a server is.
  publish(1, record());
  time().settle();
  BOOST_TEST(other->value.has_value());
  me().ask<taken>(at(1).directory, withdraw_atom::value);
  auto gone = find(2, 1, 2s);
  me().ask<taken>(at(1).directory, withdraw_atom::value);
  pass(2s);
  BOOST_TEST(gone->failed_with(errc::unknown_peer), gone->text());
}

BOOST_AUTO_TEST_CASE(a_client_hears_of_changes_while_it_is_linked) {
  make(2);
  auto client = add(/*is_server=*/false);
  link(client, 1);
  BOOST_TEST(all_know(0, {client}));
  auto counts = std::make_shared<watcher_counts>();
  auto watcher = time().system().spawn(count, counts);
  me().tell(at(client).directory, watch_atom::value, watcher);
  auto late = add();
  link(late, 0);
  publish(late, record(1, 1, 2));
  BOOST_TEST(knows(client, late));
  BOOST_TEST(counts->changes == 1);
  auto figures = record(1, 1, 2);
  figures.load = 1;
  publish(late, figures);
  pass(3s);
  BOOST_TEST(counts->changes == 1, "figures change no plan of who waits");
  me().tell(at(late).node, stop_atom::value);
  BOOST_TEST(!knows(client, late));
  BOOST_TEST(counts->changes == 2);
  caf::anon_send_exit(watcher, caf::exit_reason::kill);
  time().settle();
  kill(0);
  pass(1s);
  BOOST_TEST(counts->changes == 2);
}

BOOST_AUTO_TEST_CASE(two_models_live_side_by_side_and_a_client_plans_over_its_own) {
  make(4, 0);
  publish(0, record(1, 0, 2));
  publish(1, record(2, 0, 4));
  publish(2, record(1, 2, 4));
  auto client = add(/*is_server=*/false);
  link(client, 3);
  auto all = snapshot(client);
  BOOST_TEST(all.size() == 3u);
  for (auto& r : all) r.blocks_digest = {};
  route_model mine{"model 1", {}, 8};
  mine.digests.model[0] = 1;
  mine.digests.blocks.resize(4);
  for (auto& r : all)
    if (r.model[0] == 1) r.blocks_digest = model::of_blocks(mine.digests, r.blocks);
  route_options options;
  options.blocks = {0, 4};
  auto planned = plan_hops(all, mine, options, {});
  auto* hops = std::get_if<std::vector<planned_hop>>(&planned);
  BOOST_REQUIRE(hops != nullptr);
  BOOST_REQUIRE(hops->size() == 2u);
  BOOST_TEST(((*hops)[0].peer == at(0).id()));
  BOOST_TEST(((*hops)[1].peer == at(2).id()));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace corolla::tests
