#include "actors/node_sessions.hpp"

#include "actors/session_actor.hpp"
#include "actors/wire/limits.hpp"

namespace corolla::actors::sessions {
namespace {

constexpr auto connect_timeout = std::chrono::seconds{10};
constexpr auto answer_timeout = std::chrono::seconds{5};

/// What is said of a next hop is told from what befalls this node: one that is known was not reached, whatever the
/// cause.
errc word_of_next(const caf::error& reason) {
  return code_of(reason) == errc::unknown_peer ? errc::unknown_peer : errc::unreachable;
}

/// An open on its way: checked, then linked to its next hop, then given room.
struct opening {
  open_request request;
  peer_id client;
  session_events_actor events;
  caf::typed_response_promise<session_actor> answer;
  uint64_t log_room = 0;     // of the output log
  uint64_t prompt_room = 0;  // of deep prompts, in the same budget
  uint64_t room() const { return log_room + prompt_room; }
};
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
  if (state.sessions.contains(request.session)) return make_error(errc::bad_request, "this session is open already");
  if (state.sessions.size() >= settings.max_sessions)
    return make_error(
        errc::no_room, "this node has " + std::to_string(settings.max_sessions) + " sessions, and takes no more");
  return {};
}

void refuse(node_pointer self, const opening_ptr& o, caf::error reason) {
  ++self->state.refused_opens;
  self->state.log_room -= o->room();
  o->answer.deliver(std::move(reason));
}

/// The session is there; its outputs go to `next`.
void start(node_pointer self, const opening_ptr& o, const peer_actor& next, uint64_t cache) {
  auto& state = self->state;
  auto& settings = *state.settings;
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
  config.log_bytes = o->log_room;
  new_session_actor session = spawn_session(self->system(), std::move(config));
  self->monitor(session);
  state.sessions[request.session] = {session, session, o->room()};
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
            o->log_room = o->prompt_room = 0;
            refuse(self, o, std::move(reason));
          });
}

void reserve(node_pointer self, const opening_ptr& o, const peer_actor& next) {
  auto& settings = *self->state.settings;
  reserve_request room{o->request.blocks, o->request.batch, o->request.max_length, o->request.alloc_timeout};
  self->request(settings.served->block, o->request.alloc_timeout + answer_timeout, reserve_atom::value, room)
      .then(
          [self, o, next](uint64_t cache) { start(self, o, next, cache); },
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
  auto o = std::make_shared<opening>(opening{
      std::move(request), client, std::move(events), self->make_response_promise<session_actor>(), room, prompt_room});
  // Only at an address that the next hop itself announced: an open must not make this node knock at doors.
  self->request(node_actor{self}, connect_timeout, connect_atom::value, o->request.next)
      .then(
          [self, o](const peer_actor& next) { reserve(self, o, next); },
          [self, o](caf::error& reason) {
            refuse(
                self, o,
                make_error(word_of_next(reason), "next hop " + o->request.next.to_string() + ": " + sentence(reason)));
          });
  return o->answer;
}

caf::result<step_sink_actor> find(node_pointer self, const session_id& session) {
  auto found = self->state.sessions.find(session);
  if (found == self->state.sessions.end()) return make_error(errc::unknown_session, "no session has this id here");
  return found->second.sink;
}

caf::result<taken> add_route(node_pointer self, const session_id& session, step_sink_actor sink) {
  self->monitor(sink);
  self->state.sessions[session] = {std::move(sink), {}, 0};
  return taken{};
}

bool ended(node_pointer self, const caf::actor_addr& source) {
  auto& state = self->state;
  for (auto entry = state.sessions.begin(); entry != state.sessions.end(); ++entry) {
    if (entry->second.sink.address() != source) continue;
    state.log_room -= entry->second.log_room;
    state.sessions.erase(entry);
    return true;
  }
  return false;
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

void tell_leaving(node_pointer self) {
  for (auto& [id, entry] : self->state.sessions)
    if (entry.session) self->send(entry.session, leaving_atom::value);
}

void close_all(node_pointer self) {
  for (auto& [id, entry] : self->state.sessions)
    if (entry.session) self->send(entry.session, close_atom::value);
}

}  // namespace corolla::actors::sessions
