#include "runtime/bench_link_ends.hpp"

#include <algorithm>
#include <stdexcept>

#include <caf/actor_system.hpp>
#include <caf/io/middleman.hpp>
#include <caf/io/typed_broker.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include "actors/spawn.hpp"
#include "runtime/caf_defaults.hpp"

namespace corolla::runtime {

using namespace actors;
using namespace actors::wire;
using clock = std::chrono::steady_clock;

bench_caf_config::bench_caf_config() {
  load<caf::io::middleman>();
  set_caf_defaults(*this);
  set("scheduler.max-threads", 1);
}

namespace {

// Bulk messages that are under way at a time: one is being sent while another is being taken.
constexpr uint32_t bulk_window = 2;
constexpr uint32_t beside_bytes = 8u << 20;

std::shared_ptr<const link_config> config_for(const crypto::identity& identity, bool answers) {
  auto config = std::make_shared<link_config>();
  config->tls = std::make_shared<const crypto::tls_context>(identity);
  config->self = identity.peer();
  config->software = "corolla bench";
  config->silence = bench_patience;
  config->allow_bench = answers;
  return config;
}

outgoing message_on(uint64_t stream, frame_type type, priority cls, model::tensor payload = {}) {
  outgoing message;
  message.type = type;
  message.cls = cls;
  message.stream = stream;
  message.payload = std::move(payload);
  return message;
}

model::tensor bytes_of(uint32_t size) {
  return {model::dtype::uint8, {size}, std::vector<std::byte>(size, std::byte{0x5a})};
}

// -- the answering end ------------------------------------------------------------------------------------------------

/// Takes everything at once, and says so.
frame_sink_actor::behavior_type taker(frame_sink_actor::broker_pointer self, const link_actor& link) {
  self->link_to(link);
  return {
      [self, link](frame_atom, incoming& message) {
        if (!message.payload) return;
        self->send(link, consumed_atom::value, message.stream, static_cast<uint32_t>(message.payload->size()));
        caf::anon_send(link, frame_atom::value, message_on(message.stream, frame_type::applied, priority::control));
      },
      [](ended_atom, uint64_t) {},
  };
}

// -- the measuring end ------------------------------------------------------------------------------------------------

struct end_state {
  end_state() = default;

  static inline const char* name = "bench";

  link_actor link;
  model::tensor echo_payload, bulk_payload;
  clock::time_point begin;
  uint32_t echoes_left = 0;
  std::vector<double> seconds;
  caf::typed_response_promise<std::vector<double>> round_trips;
  uint32_t bulk_left = 0, bulk_under_way = 0;
  bool bulk_for_ever = false;
  uint64_t bulk_bytes = 0;
  caf::typed_response_promise<double> bulk;
};
using end_pointer = bench_end_actor::stateful_broker_pointer<end_state>;

void send_echo(end_pointer self) {
  auto& state = self->state;
  state.begin = clock::now();
  caf::anon_send(
      state.link, frame_atom::value,
      message_on(bench_echo_stream, frame_type::bench_echo, priority::step, state.echo_payload));
}

void echo_came(end_pointer self, const incoming& message) {
  auto& state = self->state;
  if (!message.payload || state.echoes_left == 0) return;
  state.seconds.push_back(std::chrono::duration<double>(clock::now() - state.begin).count());
  self->send(state.link, consumed_atom::value, message.stream, static_cast<uint32_t>(message.payload->size()));
  if (--state.echoes_left > 0) return send_echo(self);
  state.bulk_for_ever = false;
  state.round_trips.deliver(std::move(state.seconds));
}

void feed_bulk(end_pointer self) {
  auto& state = self->state;
  while (state.bulk_under_way < bulk_window && (state.bulk_left > 0 || state.bulk_for_ever)) {
    ++state.bulk_under_way;
    if (!state.bulk_for_ever) --state.bulk_left;
    caf::anon_send(
        state.link, frame_atom::value,
        message_on(bench_bulk_stream, frame_type::step, priority::bulk, state.bulk_payload));
  }
}

void bulk_taken(end_pointer self) {
  auto& state = self->state;
  --state.bulk_under_way;
  if (state.bulk_under_way > 0 || state.bulk_left > 0 || state.bulk_for_ever) return feed_bulk(self);
  if (state.bulk_bytes == 0) return;
  auto seconds = std::chrono::duration<double>(clock::now() - state.begin).count();
  state.bulk.deliver(static_cast<double>(std::exchange(state.bulk_bytes, 0)) / seconds);
}

caf::result<std::vector<double>> begin_round_trips(end_pointer self, uint32_t size, uint32_t count) {
  auto& state = self->state;
  state.echo_payload = bytes_of(size);
  state.echoes_left = count;
  state.seconds.clear();
  state.seconds.reserve(count);
  state.round_trips = self->make_response_promise<std::vector<double>>();
  send_echo(self);
  return state.round_trips;
}

bench_end_actor::behavior_type measuring_end(end_pointer self, const link_actor& link) {
  self->state.link = link;
  self->link_to(link);
  caf::anon_send(link, frame_atom::value, message_on(bench_echo_stream, frame_type::bench_echo, priority::control));
  caf::anon_send(link, frame_atom::value, message_on(bench_bulk_stream, frame_type::attach, priority::control));
  return {
      [self](round_trips_atom, uint32_t size, uint32_t count) { return begin_round_trips(self, size, count); },
      [self](bulk_atom, uint32_t size, uint32_t count) -> caf::result<double> {
        auto& state = self->state;
        state.bulk_payload = bytes_of(size);
        state.bulk_left = count;
        state.bulk_bytes = uint64_t{size} * count;
        state.bulk = self->make_response_promise<double>();
        state.begin = clock::now();
        feed_bulk(self);
        return state.bulk;
      },
      [self](beside_atom, uint32_t size, uint32_t count) {
        self->state.bulk_payload = bytes_of(beside_bytes);
        self->state.bulk_for_ever = true;
        feed_bulk(self);
        return begin_round_trips(self, size, count);
      },
      [self](frame_atom, const incoming& message) {
        if (message.stream == bench_echo_stream)
          echo_came(self, message);
        else if (message.type == frame_type::applied)
          bulk_taken(self);
      },
      [](ended_atom, uint64_t) {},
  };
}

}  // namespace

void answer_bench(int socket) {
  bench_caf_config options;
  caf::actor_system system{options};
  caf::scoped_actor self{system};
  link_start start;
  start.socket = socket;
  start.config = config_for(crypto::identity::generate(), /*answers=*/true);
  start.owner = [&system](const link_actor& link, const link_info&) -> frame_sink_actor {
    return system.middleman().spawn_broker(taker, link);
  };
  auto link = spawn_link(system, std::move(start));
  self->monitor(link);
  self->receive([](const caf::down_msg&) {});
}

bench_near measure_over(caf::actor_system& system, int socket) {
  caf::scoped_actor self{system};
  link_start start;
  start.socket = socket;
  start.dialled = true;
  start.config = config_for(crypto::identity::generate(), /*answers=*/false);
  bench_near near;
  start.owner = [&system, parent = caf::actor{self}](const link_actor& link, const link_info&) -> frame_sink_actor {
    auto end = system.middleman().spawn_broker(measuring_end, link);
    caf::anon_send(parent, up_atom::value, end);
    return end;
  };
  near.link = spawn_link(system, std::move(start));
  self->monitor(near.link);
  self->receive(
      [&](up_atom, const bench_end_actor& end) { near.end = end; },
      [](const caf::down_msg& down) { throw std::runtime_error{describe(down.reason)}; });
  return near;
}

}  // namespace corolla::runtime
