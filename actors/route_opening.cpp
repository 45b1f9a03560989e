// How a gap is planned, and its substitutes are opened: all or none.
#include "actors/route_mending.hpp"

#include "model/convert.hpp"

namespace corolla::actors::route_mending {
namespace {

/// Finding one node of the swarm that answers, and what it knows.
constexpr auto join_timeout = std::chrono::seconds{15};
/// Before nodes of which none answered are dialled again.
constexpr auto join_pause = std::chrono::seconds{1};
/// Before servers that refused or did not answer are asked again, the first time; each time is twice as long, up to
/// `longest_pause`.
constexpr auto first_pause = std::chrono::milliseconds{250}, longest_pause = std::chrono::milliseconds{4000};
/// Before another server is tried than one that does not answer, the first time: a few round trips over the longest
/// ways there are.  Who is slow for good is waited for in the end.
constexpr auto open_patience = std::chrono::milliseconds{2000},
               longest_open_patience = std::chrono::milliseconds{10'000};

model::block_range blocks_of(const route_state& state, const mending& m) {
  if (state.hops.empty()) return state.config->options.blocks;
  return {state.hops[m.first].plan.blocks.begin, state.hops[m.last - 1].plan.blocks.end};
}

/// Asks the first bootstrap node that answers for all it knows, and is told of changes from then on.
template <class Done, class Failed>
void join(route_pointer self, size_t index, Done done, Failed failed, caf::error last_failure = {}) {
  auto& bootstrap = self->state.config->bootstrap;
  if (index == bootstrap.size()) return failed(last_failure);
  auto next = [self, index, done, failed](caf::error& reason) { join(self, index + 1, done, failed, reason); };
  self->request(self->state.config->node, join_timeout, connect_atom::value, bootstrap[index])
      .then(
          [self, done, next](peer_actor& peer) {
            self->request(peer, join_timeout, snapshot_atom::value).then([done](taken) { done(); }, next);
          },
          next);
}

/// Whoever waits for a server may have lost, with its last link, those who could tell of one.
void join_again(route_pointer self) {
  auto& state = self->state;
  if (!state.may_be_alone || (!state.forward && !is_opening(state)) || state.config->bootstrap.empty()) return;
  state.may_be_alone = false;
  auto look = [self] { servers_changed(self); };
  join(self, 0, look, [self](const caf::error&) {
    self->state.may_be_alone = true;
    self->delayed_send(self, join_pause, changed_atom::value);
  });
}

// -- planning -------------------------------------------------------------------------------------------------------

/// Hops beside the gap that candidates for it cannot reach join it; false: there is none.
bool widen_gap(route_pointer self) {
  auto& state = self->state;
  const auto out_of_reach = std::exchange(state.cut_off, {});
  bool is_wider = false;
  for (auto& h : state.hops) {
    if (h.lost || !out_of_reach.contains(h.session)) continue;
    h.lost = is_wider = true;
    state.loss =
        named(h) + " of blocks " + to_string(h.plan.blocks) + " and those that could go on cannot reach each other";
  }
  if (!is_wider) return false;
  abandon(self);
  leave_nobody_out(state);
  begin_next(self);
  return true;
}

void no_plan(route_pointer self, caf::error reason) {
  auto& state = self->state;
  // Where servers refused, what they said tells more than that nobody else is left.
  if (is_opening(state)) {
    if (state.refusal) reason = state.refusal;
    return state.unreached ? wait_for_servers(self, reason) : fail(self, reason);
  }
  if (is_optional(*state.mend)) {
    abandon(self);
    leave_nobody_out(state);
    put_off_move(self);
    return begin_next(self);
  }
  if (!widen_gap(self)) wait_for_servers(self, std::move(reason));
}

uint32_t prompt_tokens(const route_options& options) {
  auto& prompts = options.deep_prompts;
  return prompts.numel() == 0 ? 0 : static_cast<uint32_t>(prompts.dim(1));
}

/// What is wrong with the route's deep prompts; no error if nothing is.
caf::error misfit(const route_config& config) {
  auto& prompts = config.options.deep_prompts;
  auto& dims = prompts.dims();
  if (prompts.numel() == 0 ||
      (dims.size() == 3 && model::is_float(prompts.type()) && dims[0] == config.options.blocks.size() &&
       dims[2] == config.model->hidden_size && dims[1] <= config.options.max_length))
    return {};
  return make_error(
      errc::bad_tensor, "deep prompts are " + std::string{to_string(prompts.type())} + " " + model::to_string(dims) +
                            ", and the route takes floats of [" + std::to_string(config.options.blocks.size()) +
                            ", P, " + std::to_string(config.model->hidden_size) + "] with P up to " +
                            std::to_string(config.options.max_length));
}

/// Most time that sending deep prompts may take, besides opening.
std::chrono::milliseconds time_for_prompts(const route_options& options) {
  constexpr size_t least_bytes_per_ms = 1000;
  return std::chrono::milliseconds{options.deep_prompts.bytes().size() / least_bytes_per_ms};
}

// -- opening --------------------------------------------------------------------------------------------------------

open_request request_for(route_pointer self, const mending& m, size_t index) {
  auto& state = self->state;
  auto& config = *state.config;
  auto& h = m.fresh[index];
  const bool is_first = index == 0, is_last = index + 1 == m.fresh.size();
  open_request request;
  request.session = h.session;
  request.model = config.model->digests.model;
  request.blocks = h.plan.blocks;
  request.blocks_digest = model::of_blocks(config.model->digests, h.plan.blocks);
  request.wire = h.plan.dtype;
  request.batch = config.options.batch;
  request.max_length = config.options.max_length;
  // Routes that are mended never wait for room: two of them could each hold half of the last.
  request.alloc_timeout = is_opening(state) ? config.options.alloc_timeout : std::chrono::milliseconds{0};
  request.epoch = m.epoch;
  if (!is_first)
    request.upstream = m.fresh[index - 1].plan.peer;
  else
    request.upstream = fed_by_client(m) ? config.self : state.hops[m.first - 1].plan.peer;
  if (!is_last) {
    request.next = m.fresh[index + 1].plan.peer;
    request.next_session = m.fresh[index + 1].session;
  } else if (feeds_client(state, m)) {
    request.next = config.self;
    request.next_session = state.sink_session;
  } else {
    request.next = state.hops[m.last].plan.peer;
    request.next_session = state.hops[m.last].session;
  }
  request.done = m.done;
  request.restoring = m.position > 0;
  request.restorer = m.hands_over ? state.hops[m.first].plan.peer : request.upstream;
  request.next_restoring = request.restoring && !is_last;
  request.prompt_tokens = prompt_tokens(config.options);
  return request;
}

/// Opens are all or nothing: those that were not refused are closed, and another plan is made without the refusers.
void opens_failed(route_pointer self) {
  auto& state = self->state;
  auto& fresh = state.mend->fresh;
  caf::error reason;
  for (size_t i = 0; i < fresh.size(); ++i) {
    auto& h = fresh[i];
    if (!h.refusal) continue;
    // A server opens once it has reached the next: where nobody does, it is the next that is to blame.
    if (is_loss(code_of(h.refusal)) && h.peer && i + 1 < fresh.size() && fresh[i + 1].refusal) continue;
    state.excluded.insert(h.plan.peer);
    const auto code = code_of(h.refusal);
    const bool is_before_hop = i + 1 == fresh.size() && !feeds_client(state, *state.mend);
    const bool is_of_next = h.peer && (code == errc::unreachable || code == errc::unknown_peer);
    if (is_of_next && is_before_hop) state.cut_off.insert(state.hops[state.mend->last].session);
    // What it says of others, or waits for, speaks not against it.
    if (!is_of_next && !(h.peer && code == errc::timed_out && is_before_hop)) blame(self, h.plan.peer, code);
    if (!reason) reason = make_error(code_of(h.refusal), named(h) + ": " + sentence(h.refusal));
  }
  again(self, reason);
}

/// All answers to the opens of one plan are in.
void opens_settled(route_pointer self) {
  auto& state = self->state;
  auto& m = *state.mend;
  if (std::any_of(m.fresh.begin(), m.fresh.end(), [](const hop& h) { return bool{h.refusal}; }))
    return opens_failed(self);
  m.report.opening = std::chrono::duration_cast<std::chrono::microseconds>(self->clock().now() - m.begun);
  m.position > 0 ? restore(self) : commit(self);
}

void open_answered(route_pointer self, uint64_t epoch, size_t index, caf::error refusal) {
  auto* m = current(self, epoch);
  if (m == nullptr || index >= m->fresh.size()) return;
  m->fresh[index].opened = !refusal;
  m->fresh[index].refusal = std::move(refusal);
  if (--m->opens_left == 0) opens_settled(self);
}

/// A session is there; where the route has deep prompts, it begins with them.
void session_opened(route_pointer self, uint64_t epoch, size_t index, const session_control_actor& control) {
  auto* m = current(self, epoch);
  if (m == nullptr || index >= m->fresh.size()) return self->send(control, close_atom::value);
  auto& h = m->fresh[index];
  h.control = control;
  auto& options = self->state.config->options;
  if (prompt_tokens(options) == 0) return open_answered(self, epoch, index, {});
  const auto first = options.blocks.begin;
  self->request(
          control, caf::infinite, prompts_atom::value,
          options.deep_prompts.slice(0, h.plan.blocks.begin - first, h.plan.blocks.end - first))
      .then(
          [self, epoch, index](taken) { open_answered(self, epoch, index, {}); },
          [self, epoch, index](caf::error& reason) { open_answered(self, epoch, index, std::move(reason)); });
}

void open_hop(route_pointer self, size_t index) {
  auto& state = self->state;
  auto epoch = state.mend->epoch;
  auto refused = [self, epoch, index](caf::error& reason) { open_answered(self, epoch, index, std::move(reason)); };
  self->request(state.config->node, connect_timeout, connect_atom::value, state.mend->fresh[index].plan.peer)
      .then(
          [self, epoch, index, refused](peer_actor& peer) {
            auto* m = current(self, epoch);
            if (m == nullptr) return;
            m->fresh[index].peer = peer;
            self->monitor(peer);
            auto request = request_for(self, *m, index);
            // Not this request: the peer sees to it that an answer comes, and one that is late has to be closed.
            self->request(peer, caf::infinite, open_atom::value, std::move(request), session_events_actor{self})
                .then(
                    [self, epoch, index](session_control_actor& control) {
                      session_opened(self, epoch, index, control);
                    },
                    refused);
          },
          refused);
}

void open_all(route_pointer self, std::vector<planned_hop> hops) {
  auto& m = *self->state.mend;
  for (auto& planned : hops) {
    hop h;
    h.plan = planned;
    h.session = session_id::random();
    h.epoch = m.epoch;
    h.applied = m.done;
    m.fresh.push_back(std::move(h));
  }
  // Only the like of it can take over what a hop has.
  if (m.moves && m.last - m.first == 1 && hops.size() == 1 && m.position > 0) {
    auto& old = self->state.hops[m.first];
    m.report.handed_over = m.hands_over = !old.gives_rows && hops[0].dtype == old.plan.dtype;
  }
  m.opens_left = m.fresh.size();
  const auto patience = std::min(open_patience * (1 << std::min(self->state.waits, 7u)), longest_open_patience);
  m.due = self->clock().now() + patience;
  m.due += time_for_prompts(self->state.config->options);
  if (is_opening(self->state)) m.due += self->state.config->options.alloc_timeout;
  self->state.timer.set(self, m.due);
  for (size_t i = 0; i < m.fresh.size(); ++i) open_hop(self, i);
}

}  // namespace

void wait_for_servers(route_pointer self, caf::error reason) {
  auto& state = self->state;
  if (state.mend) abandon(self);
  // Not by all routes at the same time; and by a time, not a message for each wait: changes told in between add none.
  const bool pauses = state.ask_again != alarm::never;  // for what was before
  if (!pauses && (!state.excluded.empty() || state.vain_tries > 0 || state.losses > vain_tries_in_a_row)) {
    const auto share = 500 + state.sink_session.bytes[0] * 2;  // 500 to 1010 thousandths
    const auto pause = std::min(first_pause * (1 << std::min(state.waits, 7u)), longest_pause);
    state.ask_again = self->clock().now() + pause * share / 1000;
  }
  state.timer.set(self, state.ask_again);
  if (!pauses) ++state.waits;
  state.refusal = std::move(reason);
  state.waits_for_servers = true;
  join_again(self);
}

void opens_overdue(route_pointer self) {
  for (auto& h : self->state.mend->fresh)
    if (!h.opened && !h.refusal) h.refusal = make_error(errc::timed_out, "it does not answer");
  opens_failed(self);
}

/// A place in the circle of ids, another one for each route.
static peer_id start_of(const route_state& state) {
  peer_id start;
  std::copy(state.sink_session.bytes.begin(), state.sink_session.bytes.end(), start.bytes.begin());
  return start;
}

/// Nothing has been seen yet of how long steps take: the first go by what the servers say of themselves.
static void expect(route_state& state, const route_estimate& estimate) {
  if (!estimate.speed_announced()) return;
  auto time = [](double seconds) {
    // What a server announces may be anything; in this order also what is no number.
    const std::chrono::duration<double> bounded{std::min(60.0, seconds)};
    return std::chrono::duration_cast<policy::step_patience::duration>(bounded);
  };
  const auto rows = state.config->options.batch;
  const auto further = estimate.seconds_further();
  state.patience.expect(time(estimate.seconds() + further * (rows - 1)), time(further * rows));
}

void measure(
    route_pointer self, std::vector<peer_id> wanted, std::function<void(const std::vector<ping_time>&)> then,
    std::function<void(caf::error&)> failed) {
  // Whom an attempt to open has waited for, the next one does not.
  const bool waits = !is_opening(self->state) || !std::exchange(self->state.measured, true);
  const auto patience = waits ? measuring_time : std::chrono::milliseconds{0};
  self->request(self->state.config->node, connect_timeout, snapshot_atom::value, wanted, patience)
      .then(
          [wanted, then = std::move(then)](std::vector<ping_time>& ways) {
            add_far_ones(ways, wanted, measuring_time);
            then(ways);
          },
          std::move(failed));
}

/// By what the directory, the bans and this client's own pings tell.
static void choose(
    route_pointer self, uint64_t epoch, const std::vector<server_record>& servers, const std::vector<peer_id>& banned,
    const std::vector<ping_time>& ways) {
  auto* m = current(self, epoch);
  if (m == nullptr) return;
  auto& s = self->state;
  auto options = s.config->options;
  options.blocks = blocks_of(s, *m);
  route_knowledge known;
  known.excluded = s.excluded;
  known.banned.insert(banned.begin(), banned.end());
  // Whatever the directory has heard by now.
  for (auto i = m->first; i < m->last; ++i)
    if (s.hops[i].lost) known.banned.insert(s.hops[i].plan.peer);
  known.source = fed_by_client(*m) ? ways_to(ways) : round_trips_of(servers, s.hops[m->first - 1].plan.peer);
  known.sink = feeds_client(s, *m) ? ways_from(ways, *s.config->model, options)
                                   : round_trips_of(servers, s.hops[m->last].plan.peer);
  auto planned = estimate_route(servers, *s.config->model, options, known);
  auto* found = std::get_if<route_estimate>(&planned);
  if (found == nullptr) return no_plan(self, std::get<caf::error>(std::move(planned)));
  if (s.hops.empty()) expect(s, *found);
  open_all(self, std::move(found->hops));
}

/// Servers are looked for besides those that are banned.
static void plan_around(route_pointer self, uint64_t epoch, const std::vector<peer_id>& banned) {
  self->request(self->state.config->directory, connect_timeout, snapshot_atom::value)
      .then(
          [self, epoch, banned](const std::vector<server_record>& servers) {
            if (current(self, epoch) == nullptr) return;
            auto& config = *self->state.config;
            // Who mends takes the ways that are known: some were measured when the route was opened.
            std::vector<peer_id> wanted;
            if (is_opening(self->state))
              wanted = ends_to_measure(servers, *config.model, config.options, start_of(self->state));
            measure(
                self, std::move(wanted),
                [self, epoch, banned, servers](const std::vector<ping_time>& ways) {
                  choose(self, epoch, servers, banned, ways);
                },
                [self, epoch](caf::error& reason) {
                  if (current(self, epoch) != nullptr) fail(self, std::move(reason));
                });
          },
          [self, epoch](caf::error& reason) {
            if (current(self, epoch) != nullptr) fail(self, std::move(reason));
          });
}

void plan(route_pointer self) {
  if (auto chosen = std::exchange(self->state.mend->chosen, {}); !chosen.empty())
    return open_all(self, std::move(chosen));
  auto epoch = self->state.mend->epoch;
  self->request(self->state.config->bans, caf::infinite, snapshot_atom::value)
      .then([self, epoch](const std::vector<peer_id>& banned) {
        if (current(self, epoch) != nullptr) plan_around(self, epoch, banned);
      });
}

void open(route_pointer self) {
  auto& state = self->state;
  if (auto reason = misfit(*state.config)) return fail(self, std::move(reason));
  state.sink_session = session_id::random();
  state.deadline = self->clock().now() + state.config->options.step_timeout + state.config->options.alloc_timeout;
  state.timer.set(self, state.deadline);
  self->request(state.config->node, connect_timeout, register_atom::value, state.sink_session, step_sink_actor{self})
      .then(
          [self](taken) {
            auto plan_it = [self] {
              if (is_opening(self->state)) begin(self, {});
            };
            if (self->state.config->bootstrap.empty()) return plan_it();
            join(self, 0, plan_it, [self](const caf::error& reason) { fail(self, reason); });
          },
          [self](caf::error& reason) { fail(self, std::move(reason)); });
  self->send(state.config->directory, watch_atom::value, directory_watcher_actor{self});
}

}  // namespace corolla::actors::route_mending
