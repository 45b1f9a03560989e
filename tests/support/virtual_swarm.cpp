#include "tests/support/virtual_swarm.hpp"

#include <stdexcept>

#include <caf/typed_event_based_actor.hpp>

#include "actors/block_actor.hpp"
#include "actors/directory_actor.hpp"
#include "actors/wire/convert.hpp"
#include "tests/support/seeded_random.hpp"

namespace corolla::tests {

using namespace actors;
using namespace std::chrono_literals;

namespace {

/// Keys are costly, and all alike: schedules share them.
const crypto::identity& identity_of(size_t index) {
  static std::deque<crypto::identity> made;
  while (made.size() <= index) {
    const seeded_random same{made.size()};
    made.push_back(crypto::identity::generate());
  }
  return made[index];
}

/// The port is the number of a node, and so is the "socket".
dialer_actor::behavior_type dialer(dialer_actor::pointer) {
  return {[](dial_atom, const std::string&, uint16_t port) { return int{port}; }};
}

}  // namespace

model::model_digests virtual_swarm::digests() {
  model::model_digests result;
  result.model.fill(1);
  result.blocks.resize(virtual_swarm::num_blocks);
  for (size_t i = 0; i < result.blocks.size(); ++i) result.blocks[i].fill(static_cast<uint8_t>(i + 2));
  return result;
}

virtual_swarm::virtual_swarm(std::chrono::microseconds delay) : delay_{delay} {
  auto model = std::make_shared<route_model>();
  model->name = "exact";
  model->digests = digests();
  model->hidden_size = hidden_size;
  model_ = std::move(model);
  bans_ = spawn_bans(time_.system());
  auto client = make_node(/*is_server=*/false);
  node_settings settings;
  settings.link = client.config;
  settings.directory = client.directory;
  settings.dialer = client.dialer;
  settings.make_link = [this](caf::actor_system&, wire::link_start start) { return connect(0, std::move(start)); };
  client.actor = spawn_node(time_.system(), settings);
  nodes_.push_back(std::move(client));
}

virtual_swarm::~virtual_swarm() {
  for (size_t i = 0; i < nodes_.size(); ++i)
    if (nodes_[i].alive) caf::anon_send(nodes_[i].actor, stop_atom::value);
  // Links that are just being made end once they are up.
  pass(10s);
  wires_.clear();
  nodes_.clear();
}

virtual_swarm::node virtual_swarm::make_node(bool is_server) {
  node n;
  const auto& identity = identity_of(nodes_.size());
  n.identity = std::make_unique<crypto::identity>(identity);
  auto config = std::make_shared<wire::link_config>();
  config->self = identity.peer();
  config->is_server = is_server;
  config->judge = [this](std::span<const uint8_t>, link_info& info) -> std::optional<wire::refusal> {
    info.roles = roles;
    return std::nullopt;
  };
  n.config = std::move(config);
  n.directory = spawn_directory_undetached(time_.system(), directory_config{identity});
  n.dialer = time_.system().spawn(dialer);
  return n;
}

size_t virtual_swarm::add(model::block_range blocks, uint64_t cache_tokens) {
  const auto index = nodes_.size();
  auto n = make_node(/*is_server=*/true);
  n.span = std::make_shared<fake_span::controls>();
  block_options options;
  options.detached = false;
  n.block = spawn_block(
      time_.system(), std::make_unique<fake_span>(blocks, hidden_size, cache_tokens, n.span), never_, options);
  served_blocks served;
  served.model_name = "exact";
  served.digests = digests();
  served.blocks = blocks;
  served.hidden_size = hidden_size;
  served.max_positions = 1000;
  served.cache_tokens = cache_tokens;
  served.cache_bytes = fake_span::cache_bytes;
  served.block = n.block;
  node_settings settings;
  settings.link = n.config;
  settings.directory = n.directory;
  settings.dialer = n.dialer;
  settings.served = served;
  settings.make_link = [this, index](caf::actor_system&, wire::link_start start) {
    return connect(index, std::move(start));
  };
  if (adjust) adjust(settings);
  n.actor = spawn_node(time_.system(), settings);
  n.record.peer = n.config->self;
  n.record.seq = 1;
  n.record.lifetime = std::chrono::hours{10};
  n.record.addresses = {"127.0.0.1:" + std::to_string(index)};
  n.record.model_name = "exact";
  n.record.model = digests().model;
  n.record.blocks_digest = model::of_blocks(digests(), blocks);
  n.record.model_blocks = num_blocks;
  n.record.blocks = blocks;
  n.record.cache_tokens = n.record.free_tokens = cache_tokens;
  nodes_.push_back(std::move(n));
  sign(index);
  for (size_t other = 0; other < index; ++other) {
    tell(other, index);
    if (other > 0 && nodes_[other].alive) tell(index, other);
  }
  return index;
}

void virtual_swarm::sign(size_t server) {
  auto& n = nodes_[server];
  n.as_told = {wire::sign(*n.identity, n.record), 0ms};
}

void virtual_swarm::tell(size_t whom, size_t of) {
  if (!nodes_[whom].alive) return;
  user_.ask<bool>(nodes_[whom].directory, record_atom::value, nodes_[of].as_told, nodes_[of].config->self);
}

void virtual_swarm::tell_later(size_t whom, size_t of) {
  if (whom == 0 || of == 0 || !nodes_[whom].alive || !nodes_[of].alive) return;
  ++nodes_[of].record.seq;
  sign(of);
  time_.system().spawn([to = nodes_[whom].directory, told = nodes_[of].as_told,
                        from = nodes_[of].config->self](caf::event_based_actor* self) {
    self->delayed_send(to, 50ms, record_atom::value, told, from);
  });
}

void virtual_swarm::announce(size_t server, uint32_t steps_per_s) {
  nodes_[server].record.steps_per_s = static_cast<float>(steps_per_s);
  ++nodes_[server].record.seq;
  sign(server);
  tell(0, server);
}

peer_id virtual_swarm::peer(size_t server) const {
  return nodes_[server].config->self;
}

size_t virtual_swarm::server_of(const peer_id& id) const {
  for (size_t i = 1; i < nodes_.size(); ++i)
    if (nodes_[i].config->self == id) return i;
  throw std::runtime_error("no such server");
}

route_actor virtual_swarm::route(const route_options& options) {
  route_config config;
  config.node = nodes_[0].actor;
  config.directory = nodes_[0].directory;
  config.bans = bans_;
  config.self = nodes_[0].config->self;
  config.model = model_;
  config.options = options;
  return spawn_route(time_.system(), std::move(config));
}

answer_ptr<session_list> virtual_swarm::sessions(size_t server) {
  const auto found = user_.start<peer_actor>(nodes_[0].actor, connect_atom::value, peer(server));
  run_until([&] { return !found->pending(); });
  auto answer = user_.start<session_list>(found->value.value(), sessions_atom::value);
  run_until([&] { return !answer->pending(); });
  return answer;
}

wire::link_actor virtual_swarm::connect(size_t from, wire::link_start start) {
  const auto to = static_cast<size_t>(start.socket);
  auto& target = nodes_[to];
  if (!target.alive || parted_.contains(std::minmax(from, to))) {
    // Nobody listens: a link that ends at once.
    memory_end nobody{target.config, start.owner};
    auto links = connect_in_memory(time_.system(), {start.config, start.owner}, nobody);
    caf::anon_send_exit(links.other, caf::exit_reason::kill);
    return links.dialler;
  }
  wire::peer_config served{target.actor, target.directory};
  auto& system = time_.system();
  memory_end listener{target.config, [&system, served](const wire::link_actor& link, const link_info& info) {
                        return wire::frame_sink_actor{wire::spawn_peer(system, link, info, served)};
                      }};
  auto links = connect_in_memory(system, {start.config, start.owner}, std::move(listener));
  links.there->delay = links.back->delay = delay_between(from, to);
  if (repeated_ > 0)
    for (auto* way : {&links.there, &links.back}) (*way)->tamper = tests::repeat_steps(repeated_, ++repeat_seed_);
  // The kernel of a stopped process accepts, and that is all.
  links.there->held = links.back->held = target.stopped || nodes_[from].stopped;
  wires_.push_back({from, to, links});
  return links.dialler;
}

// -- faults ---------------------------------------------------------------------------------------------------------

template <class Function>
void virtual_swarm::for_wires_of(size_t server, Function f) {
  for (auto& w : wires_) {
    if (w.from == server) f(*w.links.there, *w.links.back, w.links);
    if (w.to == server) f(*w.links.back, *w.links.there, w.links);
  }
}

void virtual_swarm::kill(size_t server) {
  auto& n = nodes_[server];
  n.alive = false;
  auto end = [](auto& actor) {
    caf::anon_send_exit(actor, caf::exit_reason::kill);
    actor = nullptr;
  };
  for (auto& w : wires_) {
    if (w.from == server) caf::anon_send_exit(w.links.dialler, caf::exit_reason::kill);
    if (w.to == server) caf::anon_send_exit(w.links.other, caf::exit_reason::kill);
  }
  end(n.actor);
  end(n.directory);
  end(n.dialer);
  end(n.block);
}

void virtual_swarm::drain(size_t server) {
  auto& n = nodes_[server];
  n.drains = true;
  caf::anon_send(n.actor, drain_atom::value);
}

bool virtual_swarm::is_alive(size_t server) {
  auto& n = nodes_[server];
  if (!n.alive || !n.drains) return n.alive;
  const auto answer = user_.ask<node_status>(n.actor, status_atom::value);
  if (!answer->value) kill(server);  // what is left of it
  return n.alive;
}

void virtual_swarm::stop(size_t server) {
  nodes_[server].stopped = true;
  for_wires_of(server, [](memory_way& out, memory_way& in, memory_links&) { out.held = in.held = true; });
}

void virtual_swarm::resume(size_t server) {
  nodes_[server].stopped = false;
  for_wires_of(server, [](memory_way& out, memory_way& in, memory_links& links) {
    out.held = in.held = false;
    links.release();
  });
}

void virtual_swarm::cut_from(size_t server) {
  for_wires_of(server, [](memory_way& out, memory_way&, memory_links&) { out.cut = true; });
}

void virtual_swarm::cut_to(size_t server) {
  for_wires_of(server, [](memory_way&, memory_way& in, memory_links&) { in.cut = true; });
}

std::chrono::microseconds virtual_swarm::delay_between(size_t one, size_t other) const {
  return delay_ + nodes_[one].slower + nodes_[other].slower;
}

void virtual_swarm::slow_down(size_t server, std::chrono::microseconds by) {
  nodes_[server].slower = by;
  for (auto& w : wires_)
    if (w.from == server || w.to == server) w.links.there->delay = w.links.back->delay = delay_between(w.from, w.to);
}

void virtual_swarm::repeat_steps(uint32_t n, uint32_t seed) {
  repeated_ = n;
  repeat_seed_ = seed;
}

void virtual_swarm::ban(size_t server) {
  caf::anon_send(bans_, offence_atom::value, peer(server));
  time_.settle();
}

std::vector<peer_id> virtual_swarm::banned() {
  return user_.ask<std::vector<peer_id>>(bans_, snapshot_atom::value)->value.value();
}

void virtual_swarm::fail_once(size_t server) {
  nodes_[server].span->next_failure = "made to fail";
}

void virtual_swarm::break_block(size_t server) {
  caf::anon_send_exit(nodes_[server].block, caf::exit_reason::unhandled_exception);
}

std::optional<caf::error> virtual_swarm::end_of(size_t server) {
  const auto end = std::make_shared<std::optional<caf::error>>();
  auto watcher = time_.system().spawn([end, node = nodes_[server].actor](caf::event_based_actor* self) {
    self->set_down_handler([end, self](const caf::down_msg& down) {
      *end = down.reason;
      self->quit();
    });
    self->monitor(node);
    return caf::behavior{[](tick_atom) {}};
  });
  time_.settle();
  caf::anon_send_exit(watcher, caf::exit_reason::kill);
  time_.settle();
  return *end;
}

void virtual_swarm::part(size_t one, size_t other) {
  parted_.insert(std::minmax(one, other));
  cut_between(one, other);
}

void virtual_swarm::cut_between(size_t one, size_t other) {
  for (auto& w : wires_) {
    if (!((w.from == one && w.to == other) || (w.from == other && w.to == one))) continue;
    caf::anon_send_exit(w.links.dialler, caf::exit_reason::kill);
    caf::anon_send_exit(w.links.other, caf::exit_reason::kill);
  }
  tell_later(one, other);
  tell_later(other, one);
}

// -- running --------------------------------------------------------------------------------------------------------

bool virtual_swarm::run(size_t messages) {
  for (size_t i = 0; i < messages; ++i)
    if (!time_.scheduler().try_run_once()) return false;
  return true;
}

void virtual_swarm::pass(std::chrono::nanoseconds time) {
  const auto end = time_.clock().now() + time;
  run_until([&] { return time_.clock().now() >= end; });
}

bool virtual_swarm::run_until(const std::function<bool()>& done) {
  const auto limit = time_.clock().now() + std::chrono::hours{1};
  while (true) {
    time_.settle();
    if (done()) return true;
    if (time_.clock().now() > limit || !time_.scheduler().trigger_timeout()) return false;
  }
}

bool virtual_swarm::run_to(const std::function<bool()>& there, std::chrono::nanoseconds within) {
  const auto limit = time_.clock().now() + within;
  while (!there()) {
    if (time_.scheduler().try_run_once()) continue;
    if (time_.clock().now() >= limit || !time_.scheduler().trigger_timeout()) return false;
  }
  return true;
}

std::string virtual_swarm::left_at(size_t index) {
  const auto told = status(index);
  const auto tokens = nodes_[index].span ? used_tokens(index) : 0;
  std::string left;
  if (tokens > 0 || told.sessions > 0 || told.log_room > 0)
    left = std::to_string(tokens) + " tokens, " + std::to_string(told.sessions) + " sessions and " +
           std::to_string(told.log_room) + " bytes for logs; ";
  for (const auto& w : wires_) {
    if (w.from == index) left += left_in(w.links.dialler, w.to);
    if (w.to == index) left += left_in(w.links.other, w.from);
  }
  return left.empty() ? left : (index == 0 ? "the client" : "server " + std::to_string(index)) + " keeps " + left;
}

std::string virtual_swarm::left_in(const wire::link_actor& link, size_t towards) {
  const auto answer = user_.ask<wire::link_status>(link, status_atom::value);
  if (!answer->value) return {};  // it has ended
  const auto& c = answer->value->counters;
  if (c.open_streams == 0 && c.held_bytes == 0 && c.queued_bytes == 0) return {};
  return std::to_string(c.open_streams) + " streams, " + std::to_string(c.held_bytes) + " bytes that came and " +
         std::to_string(c.queued_bytes) + " to be sent in a link to " + std::to_string(towards) + "; ";
}

node_status virtual_swarm::status(size_t server) {
  auto answer = user_.ask<node_status>(nodes_[server].actor, status_atom::value);
  return answer->value.value();
}

}  // namespace corolla::tests
