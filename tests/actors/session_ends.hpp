// Who stands around a session in tests: a next hop that keeps what arrives, a client that listens, peers that are
// found.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <numeric>
#include <vector>

#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include "actors/protocol.hpp"

namespace corolla::tests {

using namespace corolla::actors;
using namespace std::chrono_literals;

constexpr int64_t hidden_size = 4;
constexpr uint64_t cache_tokens = 1000;
constexpr uint64_t edge = 5;

inline peer_id peer(uint8_t number) {
  peer_id id;
  id.bytes.fill(number);
  return id;
}
inline const auto client_peer = peer(1), stranger = peer(9);

inline model::tensor rows(uint32_t batch, int64_t tokens, float first = 1) {
  std::vector<float> values(batch * tokens * hidden_size);
  std::iota(values.begin(), values.end(), first);
  return model::tensor::of<float>({batch, tokens, hidden_size}, values);
}

inline std::vector<float> numbers(const model::tensor& t) {
  auto as_float = t.to(model::dtype::float32);
  auto values = as_float.as<float>();
  return {values.begin(), values.end()};
}

// What arrived at the end of a chain, and how it is answered.
struct received {
  std::vector<step> steps;
  std::deque<caf::typed_response_promise<taken>> untaken;
  bool hold = false;   // keeps outputs untaken
  caf::error refusal;  // if not empty, for every step
  int closed = 0;
};
using received_ptr = std::shared_ptr<received>;

// A sink that is told (tick) to take the oldest step that it holds.
using sink_actor = edge_actor::extend<caf::reacts_to<tick_atom>>;

inline sink_actor::behavior_type sink(sink_actor::pointer self, received_ptr log) {
  return {
      [self, log](step_atom, const step& s) -> caf::result<taken> {
        log->steps.push_back(s);
        if (log->refusal) return log->refusal;
        if (!log->hold) return taken{};
        log->untaken.push_back(self->make_response_promise<taken>());
        return log->untaken.back();
      },
      [log](tick_atom) {
        if (log->untaken.empty()) return;
        log->untaken.front().deliver(taken{});
        log->untaken.pop_front();
      },
      [log](close_atom) { ++log->closed; }};
}

struct heard {
  std::vector<applied> done;
  std::vector<session_failed> failed;
  std::vector<session_restored> restored;
  std::vector<edge_lost> lost;
  std::vector<session_leaving> leaving;
};
inline session_events_actor::behavior_type listener(session_events_actor::pointer, std::shared_ptr<heard> log) {
  return {
      [log](applied_atom, const applied& event) { log->done.push_back(event); },
      [log](failed_atom, const session_failed& event) { log->failed.push_back(event); },
      [log](restored_atom, const session_restored& event) { log->restored.push_back(event); },
      [log](edge_lost_atom, const edge_lost& event) { log->lost.push_back(event); },
      [log](leaving_atom, const session_leaving& event) { log->leaving.push_back(event); }};
}

// Stands for the link between two servers: stamps whose steps they are.
inline edge_actor::behavior_type link_from(edge_actor::pointer self, peer_id from, session_actor to) {
  return {
      [self, from, to](step_atom, step& s) {
        s.from = from;
        return self->delegate(to, step_atom::value, std::move(s));
      },
      [self](close_atom) { self->quit(); }};
}

// Stands for all peers: whoever a session asks for has this one edge.
inline peer_actor::behavior_type one_peer(peer_actor::pointer, edge_actor way) {
  return {
      [](open_atom, const open_request&, const session_events_actor&) -> caf::result<session_control_actor> {
        return make_error(errc::bad_request, "nothing is opened here");
      },
      [way](attach_atom, const edge_target&, const edge_owner_actor&) { return way; },
      [](record_atom, const signed_server_record&) { return taken{}; },
      [](snapshot_atom) { return taken{}; },
      [](suspect_atom, const signed_suspicion&) {},
      [](drain_atom) { return uint32_t{0}; },
      [](sessions_atom) { return session_list{}; },
      [](ping_atom) { return link_quality{}; },
      [](close_atom, errc, const std::string&) {}};
}
/// Who can be found.
struct known_peers {
  std::map<peer_id, peer_actor> peers;
  std::map<peer_id, std::pair<std::chrono::milliseconds, caf::typed_response_promise<peer_actor>>> awaited;
};
/// Nobody's patience ends here by itself; `up` says that a record came.
using patient_connector_actor = connector_actor::extend<caf::reacts_to<up_atom, peer_id, peer_actor>>;
inline patient_connector_actor::behavior_type connector(
    patient_connector_actor::pointer self, std::shared_ptr<known_peers> known) {
  auto find = [self, known](const peer_id& peer, std::chrono::milliseconds patience) -> caf::result<peer_actor> {
    if (auto found = known->peers.find(peer); found != known->peers.end()) return found->second;
    if (patience == std::chrono::milliseconds{0}) return make_error(errc::unknown_peer, "no address is known");
    auto answer = self->make_response_promise<peer_actor>();
    known->awaited[peer] = {patience, answer};
    return answer;
  };
  return {
      [find](connect_atom, const peer_id& peer) { return find(peer, {}); },
      [find](connect_atom, const peer_id& peer, std::chrono::milliseconds patience) { return find(peer, patience); },
      [known](up_atom, const peer_id& peer, const peer_actor& actor) {
        known->peers[peer] = actor;
        if (auto waiting = known->awaited.extract(peer)) waiting.mapped().second.deliver(actor);
      }};
}

}  // namespace corolla::tests
