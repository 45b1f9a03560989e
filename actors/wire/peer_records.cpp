#include "actors/wire/peer_records.hpp"

#include <utility>

#include "actors/wire/convert.hpp"
#include "actors/wire/peer_requests.hpp"

namespace corolla::actors::wire {
namespace {

/// How long this node's directory may take to answer.
constexpr auto local_timeout = std::chrono::seconds{30};

/// An honest peer hands over 4,096 records at a time at the most, and what changes meanwhile.
constexpr uint32_t most_under_way = 64;
constexpr size_t most_waiting = 8192;
constexpr size_t most_waiting_bytes = 16u << 20;

void go_on(peer_pointer self);

/// Asks the directory on the peer's behalf; `failed` also hears where it does not answer.
template <class Request, class Answered, class Failed>
void ask(peer_pointer self, Request request, Answered answered, Failed failed) {
  ++self->state.asked_of_directory;
  request.then(std::move(answered), [self, failed](caf::error& reason) {
    failed(reason);
    go_on(self);
  });
}

void serve_record(peer_pointer self, const record_body& body) {
  auto& state = self->state;
  auto record = from_wire(body);
  auto tag = body.tag;
  if (!record) {
    // Counted, and answered behind those before it.
    ask(
        self, self->request(state.config.directory, local_timeout, refused_atom::value, state.info.peer),
        [self, tag] {
          if (tag != 0) refuse(self, 0, errc::bad_request, "a record that cannot be read");
          go_on(self);
        },
        [](const caf::error&) {});
    return;
  }
  ask(
      self,
      self->request(state.config.directory, local_timeout, record_atom::value, std::move(*record), state.info.peer),
      [self, tag](bool) {
        if (tag != 0) reply(self, frame_type::record_taken, 0, record_taken_body{tag});
        go_on(self);
      },
      // Whoever counts on an answer finds it by its place.
      [self, tag](const caf::error& reason) {
        if (tag != 0) refuse(self, 0, code_of(reason), sentence(reason));
      });
}

void serve_digest(peer_pointer self, const digest_body& body) {
  auto& state = self->state;
  auto tag = body.tag;
  ask(
      self, self->request(state.config.directory, local_timeout, digest_atom::value, from_wire(body), state.info.peer),
      [self, tag](digest_answer& answer) {
        for (auto& record : answer.records) reply(self, frame_type::record, 0, to_wire(record, /*tag=*/0));
        for (auto& suspicion : answer.suspicions) send_suspicion(self, suspicion);
        if (tag != 0) reply(self, frame_type::digest_done, 0, digest_done_body{tag});
        go_on(self);
      },
      [self](const caf::error& reason) { end_link(self, sentence(reason)); });
}

void serve_snapshot(peer_pointer self, const snapshot_body&) {
  auto& state = self->state;
  ask(
      self, self->request(state.config.directory, local_timeout, record_atom::value, state.info.peer),
      [self](std::vector<signed_server_record>& records) {
        for (auto& record : records) reply(self, frame_type::record, 0, to_wire(record, /*tag=*/0));
        reply(self, frame_type::snapshot_end, 0, snapshot_end_body{});
        go_on(self);
      },
      [self](const caf::error& reason) { end_link(self, sentence(reason)); });
}

void take_suspicion(peer_pointer self, const suspect_body& body) {
  auto& state = self->state;
  auto suspicion = from_wire(body);
  if (!suspicion) return self->send(state.config.directory, refused_atom::value, state.info.peer);
  ask(
      self,
      self->request(state.config.directory, local_timeout, suspect_atom::value, std::move(*suspicion), state.info.peer),
      [self] { go_on(self); }, [](const caf::error&) {});
}

void take_digest_done(peer_pointer self, const digest_done_body& body) {
  auto found = self->state.digests.extract(body.tag);
  if (found.empty()) return end_link(self, "an answer to a digest that was not sent");
  found.mapped().deliver(taken{});
}

void take_end_of_snapshot(peer_pointer self, const snapshot_end_body&) {
  take_snapshot_end(self);
}

void send_digest(
    peer_pointer self, const std::vector<policy::digest_range>& ranges, caf::typed_response_promise<taken> answer) {
  auto& state = self->state;
  if (ranges.size() == 1 && ranges.front().entries.empty()) {
    state.snapshots.push_back(std::move(answer));
    return reply(self, frame_type::snapshot, 0, snapshot_body{});
  }
  auto tag = state.next_tag++;
  state.digests.emplace(tag, std::move(answer));
  // They are served in order: the last one's answer is the answer.
  for (auto& range : ranges) reply(self, frame_type::digest, 0, to_wire(range, &range == &ranges.back() ? tag : 0));
}

template <class Body>
bool is(peer_pointer self, const incoming& message, void (*handler)(peer_pointer, const Body&)) {
  auto body = decode_body<Body>(message.body);
  if (body) handler(self, *body);
  return body.has_value();
}

bool read(peer_pointer self, const incoming& message) {
  switch (message.type) {
    case frame_type::record:
      return is(self, message, serve_record);
    case frame_type::suspect:
      return is(self, message, take_suspicion);
    case frame_type::digest:
      return is(self, message, serve_digest);
    case frame_type::digest_done:
      return is(self, message, take_digest_done);
    case frame_type::snapshot:
      return is(self, message, serve_snapshot);
    case frame_type::snapshot_end:
      return is(self, message, take_end_of_snapshot);
    default:
      return false;
  }
}

void read_or_end(peer_pointer self, const incoming& message) {
  if (read(self, message)) return;
  caf::anon_send(self->state.config.directory, refused_atom::value, self->state.info.peer);
  end_link(self, "a message of type " + std::to_string(static_cast<int>(message.type)) + " cannot be read");
}

/// The directory has dealt with something.
void go_on(peer_pointer self) {
  auto& state = self->state;
  --state.asked_of_directory;
  while (!state.for_directory.empty() && state.asked_of_directory < most_under_way) {
    auto next = std::move(state.for_directory.front());
    state.for_directory.pop_front();
    state.for_directory_bytes -= next.body.size();
    read_or_end(self, next);
  }
}

}  // namespace

void take_directory_frame(peer_pointer self, incoming& message) {
  auto& state = self->state;
  if (state.for_directory.empty() && state.asked_of_directory < most_under_way) return read_or_end(self, message);
  if (state.for_directory.size() >= most_waiting ||
      state.for_directory_bytes + message.body.size() > most_waiting_bytes) {
    self->send(state.link, close_atom::value, errc::overloaded, "more is told of servers than this node can take in");
    return;
  }
  state.for_directory_bytes += message.body.size();
  state.for_directory.push_back(std::move(message));
}

void send_suspicion(peer_pointer self, const signed_suspicion& suspicion) {
  reply(self, frame_type::suspect, 0, to_wire(suspicion));
}

caf::result<taken> ask_for_what_is_missing(peer_pointer self) {
  auto answer = self->make_response_promise<taken>();
  self->request(self->state.config.directory, local_timeout, digest_atom::value)
      .then(
          [self, answer](const std::vector<policy::digest_range>& ranges) { send_digest(self, ranges, answer); },
          [answer](caf::error& reason) mutable { answer.deliver(std::move(reason)); });
  return answer;
}

}  // namespace corolla::actors::wire
