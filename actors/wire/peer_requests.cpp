#include "actors/wire/peer_requests.hpp"

#include <algorithm>

#include "actors/wire/convert.hpp"
#include "actors/wire/proxies.hpp"

namespace corolla::actors::wire {

namespace {

/// How long a peer may take beyond the time that it was allowed to wait for room.
constexpr auto remote_timeout = std::chrono::seconds{20};
/// Records whose answers are awaited; of older ones only the place is kept, since answers come in the order of records.
constexpr size_t most_awaited_records = 1024;
constexpr size_t most_unanswered_records = 16'384;

}  // namespace

static uint64_t new_stream(peer_pointer self) {
  auto stream = self->state.next_stream;
  self->state.next_stream += 2;
  return stream;
}

caf::result<session_control_actor> open_there(
    peer_pointer self, const open_request& request, session_events_actor events) {
  auto stream = new_stream(self);
  auto answer = self->make_response_promise<session_control_actor>();
  self->monitor(events);
  self->state.streams.emplace(stream, opened_stream{request.session, std::move(events), answer, {}});
  reply(self, frame_type::open, stream, to_wire(request));
  self->delayed_send(self, request.alloc_timeout + remote_timeout, tick_atom::value, stream);
  return answer;
}

void open_overdue(peer_pointer self, uint64_t stream) {
  auto use = use_of<opened_stream>(self, stream);
  if (!use || use->control) return;
  use->answer.deliver(
      make_error(errc::timed_out, self->state.info.peer.to_string() + " did not answer an open in time"));
  reply(self, frame_type::close, stream, close_body{}, /*end_stream=*/true);
  self->state.streams.erase(stream);
}

/// The first step of an edge is there: its session at the peer is open by now.
uint64_t begin_edge(peer_pointer self, const edge_target& to, edge_owner_actor owner) {
  auto stream = new_stream(self);
  attach_body body;
  body.session.bytes = to.session.bytes;
  reply(self, frame_type::attach, stream, body);
  self->monitor(owner);
  self->state.streams.emplace(stream, outgoing_edge{std::move(owner), to.epoch});
  return stream;
}

/// An answer to a record has come.
template <class Outcome>
static void settle_record(peer_pointer self, record_promises::iterator record, Outcome outcome) {
  auto& state = self->state;
  if (record->first < state.first_awaited)
    --state.records_given_up;
  else
    record->second.deliver(std::move(outcome));
  state.records.erase(record);
}

caf::result<taken> hand_over(peer_pointer self, const signed_server_record& record) {
  auto& state = self->state;
  auto& waiting = state.records;
  if (waiting.size() >= most_unanswered_records) {
    self->send(state.link, close_atom::value, errc::overloaded, "records are not answered");
    return make_error(errc::overloaded, "records are not answered");
  }
  if (waiting.size() - state.records_given_up >= most_awaited_records) {
    auto oldest = waiting.lower_bound(state.first_awaited);
    oldest->second.deliver(make_error(errc::overloaded, "too many records are unanswered"));
    state.first_awaited = oldest->first + 1;
    ++state.records_given_up;
  }
  auto tag = self->state.next_tag++;
  auto answer = self->make_response_promise<taken>();
  waiting.emplace(tag, answer);
  reply(self, frame_type::record, 0, to_wire(record, tag));
  return answer;
}

void take_opened(peer_pointer self, uint64_t stream, const opened_body& body) {
  auto use = use_of<opened_stream>(self, stream);
  if (!use) return;  // given up meanwhile
  if (use->control || body.session.bytes != use->session.bytes) return end_link(self, "an answer to no open");
  use->control = spawn_control_proxy(self->system(), self->state.link, stream);
  self->monitor(use->control);
  use->answer.deliver(session_control_actor{use->control});
}

void take_answer(peer_pointer self, uint64_t stream, const answer_body& body) {
  auto use = use_of<opened_stream>(self, stream);
  if (!use) return;
  if (!use->control) return end_link(self, "an answer to no request");
  control_answer answer{body.tag, {}, {body.last, body.position}};
  if (body.done.value == 0) answer.refusal = make_error(body.code.value, body.text.value, body.last);
  self->send(use->control, answer_atom::value, std::move(answer));
}

void take_status(peer_pointer self, uint64_t stream, const status_reply_body& body) {
  auto use = use_of<opened_stream>(self, stream);
  if (!use) return;
  if (!use->control) return end_link(self, "an answer to no request");
  auto status = from_wire(body);
  status.session = use->session;
  self->send(use->control, answer_atom::value, std::move(status));
}

void take_refused(peer_pointer self, uint64_t stream, const refused_body& body) {
  // It has no tag there, but its place among the answers to records.
  if (stream == 0) {
    auto& waiting = self->state.records;
    if (!waiting.empty()) settle_record(self, waiting.begin(), make_error(body.code.value, body.text.value));
    return;
  }
  auto use = use_of<opened_stream>(self, stream);
  if (!use) return;
  if (use->control) return end_link(self, "a refusal of what was opened");
  use->answer.deliver(make_error(body.code.value, body.text.value));
  self->state.streams.erase(stream);
}

/// False: it cannot be read.
static bool take_event(peer_pointer self, opened_stream& use, const incoming& message) {
  switch (message.type) {
    case frame_type::applied:
      if (auto body = decode_body<applied_body>(message.body)) {
        self->send(use.events, applied_atom::value, applied{use.session, body->seq, body->micros});
        return true;
      }
      return false;
    case frame_type::restored:
      if (auto body = decode_body<restored_body>(message.body)) {
        self->send(use.events, restored_atom::value, session_restored{use.session, body->epoch});
        return true;
      }
      return false;
    case frame_type::edge_lost:
      if (auto body = decode_body<edge_lost_body>(message.body)) {
        self->send(
            use.events, edge_lost_atom::value, edge_lost{use.session, body->epoch, body->code.value, body->text.value});
        return true;
      }
      return false;
    case frame_type::leaving:
      if (!decode_body<leaving_body>(message.body)) return false;
      self->send(use.events, leaving_atom::value, session_leaving{use.session});
      return true;
    default:
      if (auto body = decode_body<failed_body>(message.body)) {
        self->send(use.events, failed_atom::value, session_failed{use.session, body->code.value, body->text.value});
        if (use.control) caf::anon_send_exit(use.control, caf::exit_reason::user_shutdown);
        self->state.streams.erase(message.stream);
        return true;
      }
      return false;
  }
}

void take_events(peer_pointer self, const incoming& message) {
  auto use = use_of<opened_stream>(self, message.stream);
  if (use && !take_event(self, *use, message)) end_link(self, "an event that cannot be read");
}

void take_step_refused(peer_pointer self, uint64_t stream, const step_refused_body& body) {
  if (auto edge = use_of<outgoing_edge>(self, stream))
    self->send(
        edge->owner, refused_atom::value,
        step_refused{edge->epoch, body.seq, body.last, body.code.value, body.text.value});
}

caf::result<uint32_t> ask_to_leave(peer_pointer self) {
  auto tag = self->state.next_tag++;
  auto answer = self->make_response_promise<uint32_t>();
  self->state.drains.emplace(tag, answer);
  reply(self, frame_type::drain, 0, drain_body{tag});
  return answer;
}

void take_drain_reply(peer_pointer self, const drain_reply_body& body) {
  auto found = self->state.drains.extract(body.tag);
  if (!found) return;
  if (body.done.value != 0)
    found.mapped().deliver(body.sessions);
  else
    found.mapped().deliver(make_error(body.code.value, body.text.value));
}

caf::result<session_list> ask_for_sessions(peer_pointer self) {
  auto tag = self->state.next_tag++;
  auto answer = self->make_response_promise<session_list>();
  self->state.listings[tag].answer = answer;
  reply(self, frame_type::sessions, 0, sessions_body{tag});
  return answer;
}

void take_sessions(peer_pointer self, const sessions_reply_body& body) {
  auto found = self->state.listings.find(body.tag);
  if (found == self->state.listings.end()) return;
  auto& [answer, list] = found->second;
  auto& some = body.sessions.values;
  if (list.sessions.size() + some.size() > limits::listed_sessions || (body.more.value != 0 && some.empty()))
    return end_link(self, "a list of sessions that has no end");
  if (body.done.value == 0) {
    answer.deliver(make_error(body.code.value, body.text.value));
  } else {
    for (auto& session : some) list.sessions.push_back(from_wire(session));
    if (body.more.value != 0) return;
    list.total = std::max(body.total, static_cast<uint32_t>(list.sessions.size()));
    answer.deliver(std::move(list));
  }
  self->state.listings.erase(found);
}

void take_record_taken(peer_pointer self, const record_taken_body& body) {
  if (auto found = self->state.records.find(body.tag); found != self->state.records.end())
    settle_record(self, found, taken{});
}

void take_snapshot_end(peer_pointer self) {
  if (self->state.snapshots.empty()) return end_link(self, "the end of a snapshot that nobody asked for");
  self->state.snapshots.front().deliver(taken{});
  self->state.snapshots.pop_front();
}

}  // namespace corolla::actors::wire
