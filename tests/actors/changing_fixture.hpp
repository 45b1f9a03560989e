// A session whose neighbours change: besides the next hop there is another one, that a connector finds.
#pragma once

#include "tests/actors/session_fixture.hpp"

namespace corolla::tests {

/// Finds an edge only when it is told to (tick): the oldest that was asked for.
using slow_peer_actor = peer_actor::extend<caf::reacts_to<tick_atom>>;

inline slow_peer_actor::behavior_type slow_peer(slow_peer_actor::pointer self, edge_actor way) {
  auto asked = std::make_shared<std::deque<caf::typed_response_promise<edge_actor>>>();
  return {
      [](open_atom, const open_request&, const session_events_actor&) -> caf::result<session_control_actor> {
        return make_error(errc::bad_request, "nothing is opened here");
      },
      [self, asked](attach_atom, const edge_target&, const edge_owner_actor&) {
        asked->push_back(self->make_response_promise<edge_actor>());
        return asked->back();
      },
      [](record_atom, const signed_server_record&) { return taken{}; },
      [](snapshot_atom) { return taken{}; },
      [](suspect_atom, const signed_suspicion&) {},
      [](drain_atom) { return uint32_t{0}; },
      [](sessions_atom) { return session_list{}; },
      [](ping_atom) { return link_quality{}; },
      [](close_atom, errc, const std::string&) {},
      [asked, way](tick_atom) {
        asked->front().deliver(way);
        asked->pop_front();
      }};
}

inline const auto beside_peer = peer(4), slow = peer(5), new_upstream = peer(3);

struct changing_fixture : session_fixture {
  received_ptr other = std::make_shared<received>();
  sink_actor beside = time.system().spawn(sink, other);
  slow_peer_actor finds_slowly = time.system().spawn(slow_peer, edge_actor{beside});

  changing_fixture() {
    known->peers[beside_peer] = time.system().spawn(one_peer, edge_actor{beside});
    known->peers[slow] = finds_slowly;
  }
  ~changing_fixture() {
    other->untaken.clear();
    kill(finds_slowly);
    kill(beside);
  }

  static edge_target to(uint64_t epoch, peer_id whom = beside_peer) {
    session_id session;
    session.bytes.fill(8);
    return {whom, session, epoch};
  }
  answer_ptr<accepted> accept(const session_actor& session, uint64_t epoch, peer_id from = new_upstream) {
    return upstream.ask<accepted>(session, accept_atom::value, accept_request{epoch, from});
  }
  answer_ptr<taken> restore(const session_actor& session, edge_target target, uint64_t after) {
    return upstream.ask<taken>(session, restore_atom::value, restore_request{target, after});
  }
  answer_ptr<taken> relink(const session_actor& session, edge_target target, uint64_t last) {
    return upstream.ask<taken>(session, relink_atom::value, relink_request{target, last});
  }

  step step_of(uint64_t epoch, peer_id from, uint32_t position) {
    auto s = chunk(position, 1);
    s.epoch = epoch;
    s.from = from;
    return s;
  }
  /// Rows that a lost hop had, for a session that begins after `config.done`.
  step restored_rows(uint32_t position, int64_t tokens, uint32_t until) const {
    step s;
    s.epoch = edge;
    s.seq = s.done = config.done;
    s.position = position;
    s.restores = restored_part::rows;
    s.until = until;
    s.hidden = rows(config.batch, tokens, static_cast<float>(1 + position * hidden_size));
    s.from = config.upstream;
    return s;
  }
  /// A substitute for a hop that had applied two steps.
  session_actor open_substitute() {
    config.restoring = true;
    config.restorer = config.upstream;
    config.done = seq = done = 2;
    return open();
  }
};

}  // namespace corolla::tests
