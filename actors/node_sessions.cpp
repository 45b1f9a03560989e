#include "actors/node_sessions.hpp"

#include "actors/session_actor.hpp"
#include "actors/wire/limits.hpp"

namespace corolla::actors::sessions {

/// An open on its way: checked and entered among the sessions, then linked to its next hop, then given room.
struct opening {
  open_request request;
  peer_id client;
  session_events_actor events;
  caf::typed_response_promise<session_actor> answer;
  uint64_t log_bytes = 0;
};

namespace {

constexpr auto connect_timeout = std::chrono::seconds{10};
constexpr auto answer_timeout = std::chrono::seconds{5};

/// What is said of a next hop is told from what befalls this node: one that is known was not reached, whatever the
/// cause.
caf::error said_of_next(const opening& o, const caf::error& reason) {
  const auto code = code_of(reason) == errc::unknown_peer ? errc::unknown_peer : errc::unreachable;
  return make_error(code, "next hop " + o.request.next.to_string() + ": " + sentence(reason));
}

using opening_ptr = std::shared_ptr<opening>;

std::string model_text(const std::string& name, const model::digest& digest) {
  return name + "@" + model::to_hex(digest, 6);
}

/// Most bytes of a session's deep prompts.
uint64_t prompt_bytes(const served_blocks& served, const open_request& request) {
  return uint64_t{request.blocks.size()} * request.prompt_tokens * static_cast<uint64_t>(served.hidden_size) *
         sizeof(float);
}

/// What is wrong with a request before anything is done for it; no error if nothing is.
caf::error check(node_pointer self, const open_request& request) {
  auto& state = self->state;
  auto& settings = *state.settings;
  if (state.stopping || state.draining) return make_error(errc::stopping, "the node is leaving");
  if (!settings.served) return make_error(errc::blocks_mismatch, "this node serves no blocks");
  auto& served = *settings.served;
  if (request.blocks.empty() || !served.blocks.contains(request.blocks))
    return make_error(
        errc::blocks_mismatch,
        "blocks " + to_string(request.blocks) + " were asked for, and this node serves " + to_string(served.blocks));
  if (request.blocks_digest != model::of_blocks(served.digests, request.blocks))
    return make_error(
        errc::model_mismatch, "blocks " + to_string(request.blocks) + " of model " + model::to_hex(request.model, 6) +
                                  " were asked for, and this node's blocks, of " +
                                  model_text(served.model_name, served.digests.model) + ", hold other weights");
  if (request.batch == 0 || request.batch > settings.max_batch)
    return make_error(
        errc::too_large, "a batch of " + std::to_string(request.batch) + " rows, and this node takes at most " +
                             std::to_string(settings.max_batch));
  auto longest = std::min(settings.max_length, served.max_positions);
  if (request.max_length == 0 || request.max_length > longest)
    return make_error(
        errc::too_large,
        "max_length " + std::to_string(request.max_length) + ", and " +
            (served.max_positions <= settings.max_length ? "the model has " : "this node takes at most ") +
            std::to_string(longest) + " positions");
  if (request.prompt_tokens > request.max_length)
    return make_error(
        errc::too_large, "deep prompts for " + std::to_string(request.prompt_tokens) + " tokens of a session of " +
                             std::to_string(request.max_length));
  if (prompt_bytes(served, request) > wire::limits::payload_bytes)
    return make_error(
        errc::too_large, "deep prompts of " + std::to_string(prompt_bytes(served, request)) +
                             " bytes, and the most is " + std::to_string(wire::limits::payload_bytes));
  if (auto same = state.sessions.find(request.session); same != state.sessions.end())
    return make_error(
        errc::bad_request,
        same->second.opening ? "this session is being opened already" : "this session is open already");
  if (state.sessions.size() >= settings.max_sessions)
    return make_error(
        errc::no_room, "this node has " + std::to_string(settings.max_sessions) + " sessions, and takes no more");
  return {};
}

/// False once the open was refused, or its client has gone.
bool is_under_way(node_pointer self, const opening_ptr& o) {
  auto& all = self->state.sessions;
  auto entry = all.find(o->request.session);
  return entry != all.end() && entry->second.opening == o;
}

void answer_no(node_pointer self, const opening_ptr& o, caf::error reason) {
  ++self->state.refused_opens;
  o->answer.deliver(std::move(reason));
}

void refuse(node_pointer self, const opening_ptr& o, caf::error reason) {
  if (!is_under_way(self, o)) return;
  auto& state = self->state;
  state.log_room -= state.sessions.at(o->request.session).log_room;
  state.sessions.erase(o->request.session);
  answer_no(self, o, std::move(reason));
}

/// The session is there; its outputs go to `next`.
void start(node_pointer self, const opening_ptr& o, const peer_actor& next, uint64_t cache) {
  auto& settings = *self->state.settings;
  auto& request = o->request;
  session_config config;
  config.id = request.session;
  config.client = o->client;
  config.upstream = request.upstream;
  config.next = {request.next, request.next_session, request.epoch};
  config.epoch = request.epoch;
  config.done = request.done;
  config.restoring = request.restoring;
  config.restorer = request.restorer;
  config.next_restoring = request.next_restoring;
  config.prompt_tokens = request.prompt_tokens;
  config.blocks = request.blocks;
  config.batch = request.batch;
  config.max_length = request.max_length;
  config.wire = request.wire;
  config.hidden_size = settings.served->hidden_size;
  config.last_hop = request.next == o->client;
  config.cache = cache;
  config.cache_bytes = settings.served->cache_bytes;
  config.block = settings.served->block;
  config.connector = node_actor{self};
  config.events = o->events;
  config.log_bytes = o->log_bytes;
  new_session_actor session = spawn_session(self->system(), std::move(config));
  self->monitor(session);
  auto& entry = self->state.sessions.at(request.session);
  entry = {session, session, entry.log_room, nullptr};
  edge_target to{request.next, request.next_session, request.epoch};
  self->request(next, answer_timeout, attach_atom::value, to, edge_owner_actor{session})
      .then(
          [self, o, session](edge_actor& edge) {
            self->send(session, attach_atom::value, edge);
            if (self->state.draining) self->send(session, leaving_atom::value);
            o->answer.deliver(session_actor{session});
          },
          [self, o, session](caf::error& reason) {
            // The session's end gives back what it held.
            self->send(session, close_atom::value);
            answer_no(self, o, said_of_next(*o, reason));
          });
}

void reserve(node_pointer self, const opening_ptr& o, const peer_actor& next) {
  if (!is_under_way(self, o)) return;
  auto& settings = *self->state.settings;
  reserve_request room{o->request.blocks, o->request.batch, o->request.max_length, o->request.alloc_timeout};
  self->request(settings.served->block, o->request.alloc_timeout + answer_timeout, reserve_atom::value, room)
      .then(
          [self, o, next](uint64_t cache) {
            if (is_under_way(self, o)) return start(self, o, next, cache);
            self->send(self->state.settings->served->block, release_atom::value, cache);
          },
          [self, o](caf::error& reason) { refuse(self, o, std::move(reason)); });
}

}  // namespace

caf::result<session_actor> open(
    node_pointer self, open_request& request, const peer_id& client, session_events_actor events) {
  auto& state = self->state;
  auto& settings = *state.settings;
  if (auto reason = check(self, request)) {
    ++state.refused_opens;
    return reason;
  }
  auto room = uint64_t{request.batch} * request.max_length * static_cast<uint64_t>(settings.served->hidden_size) *
              model::size_of(request.wire);
  const auto prompt_room = prompt_bytes(*settings.served, request);
  if (room + prompt_room > settings.log_bytes - std::min(settings.log_bytes, state.log_room)) {
    ++state.refused_opens;
    return make_error(
        errc::no_room, "its output log needs " + std::to_string(room) + " bytes" +
                           (prompt_room > 0 ? ", its deep prompts " + std::to_string(prompt_room) : "") + ", and " +
                           std::to_string(settings.log_bytes - state.log_room) + " are left");
  }
  state.log_room += room + prompt_room;
  request.alloc_timeout = std::min(request.alloc_timeout, settings.max_alloc_timeout);
  auto o = std::make_shared<opening>(
      opening{std::move(request), client, std::move(events), self->make_response_promise<session_actor>(), room});
  // Before anything is waited for: what comes meanwhile must find its id and its room taken.
  state.sessions[o->request.session] = {{}, {}, room + prompt_room, o};
  self->monitor(o->events);
  // Only at an address that the next hop itself announced: an open must not make this node knock at doors.
  self->request(node_actor{self}, connect_timeout, connect_atom::value, o->request.next)
      .then(
          [self, o](const peer_actor& next) { reserve(self, o, next); },
          [self, o](caf::error& reason) { refuse(self, o, said_of_next(*o, reason)); });
  return o->answer;
}

caf::result<step_sink_actor> find(node_pointer self, const session_id& session) {
  auto found = self->state.sessions.find(session);
  if (found == self->state.sessions.end() || !found->second.sink)
    return make_error(errc::unknown_session, "no session has this id here");
  return found->second.sink;
}

caf::result<taken> add_route(node_pointer self, const session_id& session, step_sink_actor sink) {
  self->monitor(sink);
  self->state.sessions[session] = {std::move(sink), {}, 0, nullptr};
  return taken{};
}

void ended(node_pointer self, const caf::actor_addr& source) {
  auto& state = self->state;
  std::vector<opening_ptr> unheard;
  std::erase_if(state.sessions, [&](auto& item) {
    auto& entry = item.second;
    if (entry.opening && entry.opening->events.address() == source) unheard.push_back(entry.opening);
    if (!entry.sink || entry.sink.address() != source) return false;
    state.log_room -= entry.log_room;
    return true;
  });
  for (auto& o : unheard) refuse(self, o, make_error(errc::cancelled, "the client has gone"));
}

uint32_t running(node_pointer self) {
  uint32_t result = 0;
  for (auto& [id, entry] : self->state.sessions)
    if (entry.session) ++result;
  return result;
}

caf::result<session_list> list(node_pointer self) {
  struct gathering {
    session_list answer;
    size_t left = 0;
  };
  auto all = std::make_shared<gathering>();
  auto promise = self->make_response_promise<session_list>();
  auto settle = [all, promise]() mutable {
    if (--all->left == 0) promise.deliver(std::move(all->answer));
  };
  for (auto& [id, entry] : self->state.sessions) {
    if (!entry.session || ++all->answer.total > wire::limits::listed_sessions) continue;
    ++all->left;
    self->request(entry.session, answer_timeout, status_atom::value)
        .then(
            [all, settle](const session_status& status) mutable {
              all->answer.sessions.push_back(status);
              settle();
            },
            [all, settle](caf::error&) mutable {
              --all->answer.total;
              settle();
            });
  }
  if (all->left == 0) promise.deliver(session_list{});
  return promise;
}

void refuse_openings(node_pointer self) {
  std::vector<opening_ptr> all;
  for (auto& [id, entry] : self->state.sessions)
    if (entry.opening) all.push_back(entry.opening);
  for (auto& o : all) refuse(self, o, make_error(errc::stopping, "the node is leaving"));
}

void tell_leaving(node_pointer self) {
  for (auto& [id, entry] : self->state.sessions)
    if (entry.session) self->send(entry.session, leaving_atom::value);
}

void close_all(node_pointer self) {
  for (auto& [id, entry] : self->state.sessions)
    if (entry.session) self->send(entry.session, close_atom::value);
}

}  // namespace corolla::actors::sessions
