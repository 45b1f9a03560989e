#include "actors/wire/peer_records.hpp"

#include "actors/wire/convert.hpp"

namespace corolla::actors::wire {
namespace {

/// How long this node's directory may take to answer.
constexpr auto local_timeout = std::chrono::seconds{30};

void serve_record(peer_pointer self, const record_body& body) {
  auto record = from_wire(body);
  if (!record) {
    caf::anon_send(self->state.config.directory, refused_atom::value, self->state.info.peer);
    return refuse(self, 0, errc::bad_request, "a record that cannot be read");
  }
  auto tag = body.tag;
  self->request(
          self->state.config.directory, local_timeout, record_atom::value, std::move(*record), self->state.info.peer)
      .then(
          [self, tag](bool) {
            if (tag != 0) reply(self, frame_type::record_taken, 0, record_taken_body{tag});
          },
          [self](caf::error& reason) { refuse(self, 0, code_of(reason), sentence(reason)); });
}

void serve_digest(peer_pointer self, const digest_body& body) {
  auto tag = body.tag;
  self->request(self->state.config.directory, local_timeout, digest_atom::value, from_wire(body), self->state.info.peer)
      .then(
          [self, tag](digest_answer& answer) {
            for (auto& record : answer.records) reply(self, frame_type::record, 0, to_wire(record, /*tag=*/0));
            for (auto& suspicion : answer.suspicions) send_suspicion(self, suspicion);
            if (tag != 0) reply(self, frame_type::digest_done, 0, digest_done_body{tag});
          },
          [self](caf::error& reason) { end_link(self, sentence(reason)); });
}

void take_suspicion(peer_pointer self, const suspect_body& body) {
  auto& config = self->state.config;
  if (auto suspicion = from_wire(body))
    self->send(config.directory, suspect_atom::value, std::move(*suspicion), self->state.info.peer);
  else
    self->send(config.directory, refused_atom::value, self->state.info.peer);
}

void take_digest_done(peer_pointer self, const digest_done_body& body) {
  auto found = self->state.digests.extract(body.tag);
  if (found.empty()) return end_link(self, "an answer to a digest that was not sent");
  found.mapped().deliver(taken{});
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
    default:
      return false;
  }
}

}  // namespace

void take_directory_frame(peer_pointer self, const incoming& message) {
  if (read(self, message)) return;
  caf::anon_send(self->state.config.directory, refused_atom::value, self->state.info.peer);
  end_link(self, "a message of type " + std::to_string(static_cast<int>(message.type)) + " cannot be read");
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
