// A session between a user that sends, a block that computes on a fake span, and a sink that keeps what arrives.
#pragma once

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <deque>
#include <map>
#include <numeric>

#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include "actors/block_actor.hpp"
#include "actors/session_actor.hpp"
#include "tests/support/fake_span.hpp"
#include "tests/support/virtual_time.hpp"

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
inline connector_actor::behavior_type connector(
    connector_actor::pointer, std::shared_ptr<std::map<peer_id, peer_actor>> peers) {
  return {[peers](connect_atom, const peer_id& peer) -> caf::result<peer_actor> {
    auto found = peers->find(peer);
    if (found == peers->end()) return make_error(errc::unknown_peer, "no address is known");
    return found->second;
  }};
}

struct session_fixture {
  virtual_time time;
  std::shared_ptr<fake_span::controls> span = std::make_shared<fake_span::controls>();
  std::shared_ptr<std::atomic<bool>> stop = std::make_shared<std::atomic<bool>>(false);
  block_actor block = make_block({0, 8}, span);
  received_ptr out = std::make_shared<received>();
  std::shared_ptr<heard> client = std::make_shared<heard>();
  sink_actor next = time.system().spawn(sink, out);
  session_events_actor events = time.system().spawn(listener, client);
  std::shared_ptr<std::map<peer_id, peer_actor>> peers = std::make_shared<std::map<peer_id, peer_actor>>();
  connector_actor connects = time.system().spawn(connector, peers);
  user upstream{time};
  session_config config = make_config();
  uint64_t seq = 0;
  uint64_t done = 0;

  ~session_fixture() {
    // Whatever a test did: once its sessions are gone, so are their pages.
    kill(events);
    BOOST_TEST(span->used_tokens == 0u);
    out->untaken.clear();
    for (auto& entry : *peers) kill(entry.second);
    kill(connects);
    config.connector = nullptr;
    kill(block);
    kill(next);
  }
  template <class Actor>
  void kill(Actor& actor) {
    caf::anon_send_exit(actor, caf::exit_reason::kill);
    actor = nullptr;
    time.settle();
  }

  block_actor make_block(model::block_range blocks, const std::shared_ptr<fake_span::controls>& controls) {
    block_options options;
    options.detached = false;
    return spawn_block(
        time.system(), std::make_unique<fake_span>(blocks, hidden_size, cache_tokens, controls), stop, options);
  }

  session_config make_config() const {
    session_config c;
    c.id.bytes.fill(7);
    c.client = c.upstream = client_peer;
    c.next = {peer(9), {}, edge};
    c.epoch = edge;
    c.blocks = {0, 8};
    c.max_length = 16;
    c.hidden_size = hidden_size;
    c.cache_bytes = fake_span::cache_bytes;
    c.block = block;
    c.connector = connects;
    c.events = events;
    c.step_timeout = 10s;
    return c;
  }

  new_session_actor spawn_unattached() {
    reserve_request room{config.blocks, config.batch, config.max_length, 0ms};
    config.cache = upstream.ask<uint64_t>(config.block, reserve_atom::value, room)->value.value();
    config.log_bytes = uint64_t{config.batch} * config.max_length * hidden_size * model::size_of(config.wire);
    return spawn_session(time.system(), config);
  }
  session_actor open() { return open_to(edge_actor{next}); }
  session_actor open_to(const edge_actor& sink_of_outputs) {
    auto session = spawn_unattached();
    upstream.tell(session, attach_atom::value, sink_of_outputs);
    return session;
  }

  step chunk(uint32_t position, int64_t tokens, float first = 1) {
    step s;
    s.epoch = edge;
    s.seq = ++seq;
    s.done = done;
    s.position = position;
    s.wanted = rows_wanted::all;
    s.hidden = rows(config.batch, tokens, first);
    s.from = config.upstream;
    return s;
  }
  answer_ptr<taken> send(const session_actor& to, step s) {
    return upstream.ask<taken>(to, step_atom::value, std::move(s));
  }
  answer_ptr<taken> start(const session_actor& to, step s) {
    return upstream.start<taken>(to, step_atom::value, std::move(s));
  }
  session_status status(const session_actor& of) {
    return upstream.ask<session_status>(of, status_atom::value)->value.value();
  }
  bool ended(const session_actor& session) {
    auto answer = upstream.ask<session_status>(session, status_atom::value);
    return answer->error.has_value() && *answer->error == caf::sec::request_receiver_down;
  }
  errc failure() { return client->failed.empty() ? errc{} : client->failed.front().code; }
};

}  // namespace corolla::tests

namespace corolla::actors {

inline std::ostream& operator<<(std::ostream& out, errc code) {
  return out << to_string(code);
}

}  // namespace corolla::actors
