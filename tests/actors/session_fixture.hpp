// A session between a user that sends, a block that computes on a fake span, and a sink that keeps what arrives.
#pragma once

#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "actors/block_actor.hpp"
#include "actors/session_actor.hpp"
#include "tests/actors/session_ends.hpp"
#include "tests/support/fake_span.hpp"
#include "tests/support/virtual_time.hpp"

namespace corolla::tests {

struct session_fixture {
  virtual_time time;
  std::shared_ptr<fake_span::controls> span = std::make_shared<fake_span::controls>();
  std::shared_ptr<std::atomic<bool>> stop = std::make_shared<std::atomic<bool>>(false);
  block_actor block = make_block({0, 8}, span);
  received_ptr out = std::make_shared<received>();
  std::shared_ptr<heard> client = std::make_shared<heard>();
  sink_actor next = time.system().spawn(sink, out);
  session_events_actor events = time.system().spawn(listener, client);
  std::shared_ptr<known_peers> known = std::make_shared<known_peers>();
  patient_connector_actor connects = time.system().spawn(connector, known);
  user upstream{time};
  session_config config = make_config();
  uint64_t seq = 0;
  uint64_t done = 0;

  ~session_fixture() {
    // Whatever a test did: once its sessions are gone, so are their pages.
    kill(events);
    BOOST_TEST(span->used_tokens == 0u);
    out->untaken.clear();
    known->awaited.clear();
    for (auto& entry : known->peers) kill(entry.second);
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
