// What is around a session in its fuzz target: a block, a client, and peers every edge to whom leads to a sink of its
// own.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include <caf/typed_event_based_actor.hpp>

#include "actors/block_actor.hpp"
#include "actors/wire/limits.hpp"
#include "tests/fuzz/session_judge.hpp"

namespace corolla::tests {

/// A way out of the session, to whom it leads, and what came by it so far.
class way_out {
 public:
  edge_target to;
  received_ptr log = std::make_shared<received>();
  sink_actor end;
  uint64_t last = 0;     // step
  uint32_t rows = 0;     // tokens restored
  bool rewinds = false;  // was told to

  /// What came since the last time.
  void check(const session_judge& judge, const std::map<uint64_t, uint64_t>& relinked) {
    REQUIRE(log->untaken.size() <= wire::limits::untaken_steps);
    for (const auto& s : log->steps) {
      REQUIRE(s.epoch == to.epoch);
      judge.check_output(s);
      s.restores == restored_part::none ? check_step(s, relinked) : check_part(s);
    }
    log->steps.clear();
  }

 private:
  void check_step(const step& s, const std::map<uint64_t, uint64_t>& relinked) {
    const auto begun = relinked.find(to.epoch);
    if (last == 0 && begun != relinked.end()) last = begun->second;
    REQUIRE(rewinds || last == 0 || s.seq == last + 1);
    last = s.seq;
  }
  void check_part(const step& s) {
    REQUIRE(s.position == rows);
    if (s.restores != restored_part::cache) rows += static_cast<uint32_t>(s.hidden.dim(1));
  }
};

struct finding {
  std::vector<way_out> ways;
  bool silent = false;  // nobody is found any more
  std::vector<caf::typed_response_promise<edge_actor>> unanswered;
};

/// Every peer that is found, each of whose edges is a new sink.
inline peer_actor::behavior_type any_peer(peer_actor::pointer self, std::shared_ptr<finding> found) {
  return {
      [](open_atom, const open_request&, const session_events_actor&) -> caf::result<session_control_actor> {
        return make_error(errc::bad_request, "nothing is opened here");
      },
      [self, found](attach_atom, const edge_target& to, const edge_owner_actor&) -> caf::result<edge_actor> {
        if (found->silent) {
          found->unanswered.push_back(self->make_response_promise<edge_actor>());
          return found->unanswered.back();
        }
        auto& way = found->ways.emplace_back();
        way.to = to;
        way.end = self->spawn(sink, way.log);
        return edge_actor{way.end};
      },
      [](record_atom, const signed_server_record&) { return taken{}; },
      [](snapshot_atom) { return taken{}; },
      [](suspect_atom, const signed_suspicion&) {},
      [](drain_atom) { return uint32_t{0}; },
      [](sessions_atom) { return session_list{}; },
      [](ping_atom) { return link_quality{}; },
      [](close_atom, errc, const std::string&) {}};
}

inline const auto finder = peer(4);

struct surroundings {
  virtual_time time;
  std::shared_ptr<fake_span::controls> span = std::make_shared<fake_span::controls>();
  std::shared_ptr<std::atomic<bool>> stop = std::make_shared<std::atomic<bool>>(false);
  block_actor block = spawn_block(
      time.system(), std::make_unique<fake_span>(model::block_range{0, 3}, hidden_size, cache_tokens, span), stop,
      undetached());
  std::shared_ptr<finding> found = std::make_shared<finding>();
  peer_actor any = time.system().spawn(any_peer, found);
  std::shared_ptr<known_peers> known = std::make_shared<known_peers>();
  patient_connector_actor connects = time.system().spawn(connector, known);
  std::shared_ptr<heard> client = std::make_shared<heard>();
  session_events_actor events = time.system().spawn(listener, client);
  user asker{time};

  surroundings() { known->peers[finder] = any; }
  surroundings(const surroundings&) = delete;
  ~surroundings() {
    // Whoever holds a promise holds its actor.
    for (auto& way : found->ways) way.log->untaken.clear();
    found->unanswered.clear();
    end(events);
    end(connects);
    known->awaited.clear();
    known->peers.clear();
    end(any);
    for (auto& way : found->ways) end(way.end);
    end(block);
  }

 private:
  template <class Actor>
  void end(Actor& actor) {
    caf::anon_send_exit(actor, caf::exit_reason::kill);
    actor = nullptr;
    time.settle();
  }
  static block_options undetached() {
    block_options options;
    options.detached = false;
    return options;
  }
};

}  // namespace corolla::tests
