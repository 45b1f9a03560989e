// How a route leaves servers that still serve: those that are about to leave, and those that another way would do much
// better without.
#include <algorithm>

#include "actors/route_mending.hpp"

namespace corolla::actors::route_mending {
namespace {

/// Between two looks for a better route, on average; each route keeps a rhythm of its own, so that those of a server do
/// not all take the same decision at once.  Twice as long after each move.
constexpr auto look_pause = std::chrono::seconds{10};

/// Before a server that leaves looks again for somebody to go to, at first and at most.
constexpr auto first_move_pause = std::chrono::milliseconds{250},
               longest_move_pause = std::chrono::milliseconds{30'000};

std::vector<planned_hop> chain_of(const route_state& state) {
  std::vector<planned_hop> result;
  for (auto& h : state.hops) result.push_back(h.plan);
  return result;
}

/// Only what differs is moved: hops [first, last) give way to `chosen`.
mending difference(const std::vector<planned_hop>& now, const std::vector<planned_hop>& better) {
  const auto [a, b] = std::mismatch(now.begin(), now.end(), better.begin(), better.end());
  const auto least = std::min(now.end() - a, better.end() - b);
  const auto same = std::mismatch(now.rbegin(), now.rbegin() + least, better.rbegin()).first - now.rbegin();
  mending m;
  m.moves = true;
  m.first = static_cast<size_t>(a - now.begin());
  m.last = now.size() - static_cast<size_t>(same);
  m.chosen.assign(b, better.end() - same);
  return m;
}

/// What the rest of the session would save is more than what computing everything again at the new hops costs.
bool pays(const route_state& state, const mending& m, double saved) {
  const bool like_for_like = m.last - m.first == 1 && m.chosen.size() == 1 &&
                             m.chosen[0].blocks == state.hops[m.first].plan.blocks &&
                             m.chosen[0].dtype == state.hops[m.first].plan.dtype;
  if (like_for_like) return true;
  const std::chrono::duration<double> a_token = state.patience.per_token().value_or(assumed_per_token);
  const auto left = state.config->options.max_length - state.done_position;
  return saved * left > a_token.count() * state.done_position;
}

/// Nothing is wrong, and nothing is under way.
bool is_settled(const route_state& state) {
  return state.now == phase::open && !state.mend && !state.waits_for_servers && state.broken.empty() &&
         std::none_of(state.hops.begin(), state.hops.end(), [](const hop& h) { return h.lost || h.leaving; });
}

void compare(
    route_pointer self, const std::vector<server_record>& servers, const std::vector<peer_id>& banned,
    const std::vector<ping_time>& ways) {
  auto& state = self->state;
  auto& config = *state.config;
  route_knowledge known;
  known.banned.insert(banned.begin(), banned.end());
  known.source = ways_to(ways);
  known.sink = ways_from(ways, *config.model, config.options);
  const auto step = state.decode_micros.get();
  for (auto& h : state.hops) known.own_load[h.plan.peer] += own_load(h.decode_micros.get(), step);
  const auto now = chain_of(state);
  const auto as_it_is = estimate_chain(servers, *config.model, config.options, known, now);
  if (!as_it_is) return;
  auto planned = estimate_route(servers, *config.model, config.options, known);
  auto* best = std::get_if<route_estimate>(&planned);
  if (best == nullptr || as_it_is->seconds() < config.options.better_by * best->seconds()) return;
  auto m = difference(now, best->hops);
  if (m.chosen.empty() || !pays(state, m, as_it_is->seconds() - best->seconds())) return;
  state.look_pauses = std::min(state.look_pauses * 2, 64u);
  leave_nobody_out(state);
  begin(self, std::move(m));
}

}  // namespace

void look_for_better(route_pointer self) {
  auto& state = self->state;
  const auto now = self->clock().now();
  // What a step truncates or reorders, no cache has any more: the state after it is the one to move.
  if (now < state.next_look || !is_settled(state) || state.forward->is_alone()) return;
  const auto share = 500 + state.sink_session.bytes[1] * 4;  // 500 to 1520 thousandths
  state.next_look = now + look_pause * state.look_pauses * share / 1000;
  // Whoever has just been opened has the best there is.
  if (state.done == 0) return;
  auto still = [self, epochs = state.epochs] { return self->state.epochs == epochs && is_settled(self->state); };
  auto next_time = [](const caf::error&) {};
  self->request(state.config->bans, caf::infinite, snapshot_atom::value).then([=](const std::vector<peer_id>& banned) {
    self->request(self->state.config->directory, connect_timeout, snapshot_atom::value)
        .then(
            [=](const std::vector<server_record>& servers) {
              if (!still()) return;
              auto& config = *self->state.config;
              // Those who join while the route runs are measured, too.
              measure(
                  self, ends_to_measure(servers, *config.model, config.options, config.self),
                  [=](const std::vector<ping_time>& ways) {
                    if (still()) compare(self, servers, banned, ways);
                  },
                  next_time);
            },
            next_time);
  });
}

void put_off_move(route_pointer self) {
  auto& state = self->state;
  state.move_waits = true;
  state.move_at =
      self->clock().now() + std::min(first_move_pause * (1 << std::min(state.moves_in_vain++, 7u)), longest_move_pause);
  state.timer.set(self, state.move_at);
}

void look_at_move(route_pointer self) {
  auto& state = self->state;
  if (!state.move_waits || self->clock().now() < state.move_at) return;
  state.move_waits = false;
  begin_next(self);
}

void begin_move(route_pointer self) {
  auto& state = self->state;
  auto leaving = std::find_if(state.hops.begin(), state.hops.end(), [](const hop& h) { return h.leaving; });
  if (leaving == state.hops.end() || state.move_waits) return leave_nobody_out(state);  // nothing is left to be done
  // As above.
  if (state.forward && state.forward->is_alone() && state.done < state.sent) return;
  state.excluded.insert(leaving->plan.peer);
  mending m;
  m.first = static_cast<size_t>(leaving - state.hops.begin());
  m.last = m.first + 1;
  m.moves = true;
  begin(self, std::move(m));
}

}  // namespace corolla::actors::route_mending
