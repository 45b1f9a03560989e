#include "runtime/client.hpp"

#include <atomic>
#include <utility>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/io/middleman.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "actors/client_actor.hpp"
#include "actors/dialer_actor.hpp"
#include "actors/directory_actor.hpp"
#include "actors/node_actor.hpp"
#include "model/span.hpp"
#include "runtime/caf_defaults.hpp"
#include "runtime/deep_prompts.hpp"
#include "runtime/local_client.hpp"
#include "runtime/swarm.hpp"

namespace corolla::runtime {
namespace {

using namespace actors;

/// An order ends by its own deadlines; this only bounds a fault in them.
constexpr auto order_timeout = std::chrono::minutes{24 * 60};

struct client_system_config : caf::actor_system_config {
  client_system_config() {
    set_caf_defaults(*this);
    load<caf::io::middleman>();
  }
};

std::vector<crypto::address> parse_peers(const std::vector<std::string>& peers) {
  if (peers.empty())
    throw client_error("no peers were given: name one or more as corolla://ID@HOST:PORT, or run locally");
  std::vector<crypto::address> addresses;
  for (auto& text : peers) {
    auto address = crypto::address::parse(text);
    if (!address) throw client_error("\"" + text + "\" is no address of the form corolla://ID@HOST:PORT");
    addresses.push_back(std::move(*address));
  }
  return addresses;
}

std::vector<peer_id> parse_ids(const std::vector<std::string>& ids) {
  std::vector<peer_id> peers;
  for (auto& text : ids) {
    auto peer = peer_id::parse(text);
    if (!peer) throw client_error("\"" + text + "\" is no peer id: it stands in an address between corolla:// and @");
    peers.push_back(*peer);
  }
  return peers;
}

std::vector<route_hop> hops_of(const route_status& status) {
  std::vector<route_hop> hops;
  for (auto& hop : status.hops) hops.push_back({hop.peer.to_string(), hop.blocks.begin, hop.blocks.end, hop.ms});
  return hops;
}

class remote_client : public client {
 public:
  remote_client(
      const client_options& options, swarm_membership membership, std::shared_ptr<const model::checkpoint> source)
      : system_(config_),
        ends_(model::ends::load(*source, {options.compute, "cpu"})),
        tokenizer_(model::load_tokenizer(*source)) {
    // Not on a thread of its own: the system would wait for that at its end until the last handle to it is gone, and
    // links that were lost keep some.
    auto directory = spawn_directory_undetached(system_, {membership.self});
    node_settings node;
    node.link = std::make_shared<const wire::link_config>(std::move(membership.link));
    node.directory = directory;
    node.dialer = system_.spawn<caf::detached>(dialer, node.stops_dials);
    node.software = software_name();
    auto self = node.link->self;
    node_ = spawn_node(system_, std::move(node));
    auto about = std::make_shared<route_model>(route_model{source->name(), source->digests(), ends_->hidden_size()});
    check_deep_prompts(options.deep_prompts, *ends_);
    client_settings settings{ends_, tokenizer_, {}};
    settings.route.options.deep_prompts = options.deep_prompts;
    settings.route.node = node_;
    settings.route.directory = directory;
    settings.route.bans = spawn_bans(system_);
    settings.route.self = self;
    settings.route.bootstrap = parse_peers(options.peers);
    settings.route.model = about;
    settings.route.options.chunk_tokens = options.chunk_tokens;
    settings.route.options.pipeline = options.pipeline;
    settings.route.options.alloc_timeout = options.alloc_timeout;
    settings.route.options.step_timeout = options.step_timeout;
    settings.route.options.better_by = options.better_by;
    settings.route.options.allow = parse_ids(options.allow);
    settings.route.options.block = parse_ids(options.block);
    client_ = spawn_client(system_, std::move(settings));
  }

  ~remote_client() override {
    caf::scoped_actor self{system_};
    self->monitor(node_);
    self->send(client_, close_atom::value);
    self->send(node_, stop_atom::value);
    // The node bounds its own end.
    self->receive([](const caf::down_msg&) {});
  }

  std::shared_ptr<const model::tokenizer> tokenizer() const override { return tokenizer_; }

  generated generate(
      const model::generation_request& request, const std::function<void(const model::generated_token&)>& on_token,
      std::stop_token cancel, const std::function<void(const std::vector<route_hop>&)>& on_route) override {
    auto opened = std::make_shared<std::atomic<bool>>(false);
    auto take_route = [opened, on_route](const route_status& status) {
      *opened = true;
      if (on_route) on_route(hops_of(status));
    };
    auto reply = run<generate_reply>(
        generate_atom::value, generate_order{next_order_++, request, on_token, take_route}, cancel, *opened);
    generated result;
    result.ids = std::move(reply.ids);
    result.text = std::move(reply.text);
    result.time_to_first_token_s = reply.to_first_token.count();
    if (result.ids.size() > 1 && reply.after_first_token.count() > 0)
      result.tokens_per_s = static_cast<double>(result.ids.size() - 1) / reply.after_first_token.count();
    result.route = hops_of(reply.route);
    for (auto& r : reply.route.recoveries)
      result.recoveries.push_back(
          {r.blocks.begin, r.blocks.end, r.late, r.moved, r.handed_over, r.restored_tokens, r.noticed, r.opening,
           r.restoring, r.switching});
    for (auto& event : reply.route.trace)
      result.trace.push_back({event.hop, event.seq, std::chrono::microseconds{event.micros}, event.at});
    return result;
  }

  evaluated evaluate(const model::tensor& input_ids, bool hidden) override {
    auto reply = run<evaluate_reply>(forward_atom::value, evaluate_order{next_order_++, input_ids, hidden}, {}, true);
    return {
        std::move(reply.embeddings), std::move(reply.final_norm), std::move(reply.logits),
        std::move(reply.block_outputs)};
  }

 private:
  /// `opened`: whether a route was opened, once it ends.
  template <class Reply, class Atom, class Order>
  Reply run(Atom atom, Order order, std::stop_token cancel, const std::atomic<bool>& opened) {
    auto id = order.id;
    std::stop_callback on_cancel{cancel, [this, id] { caf::anon_send(client_, stop_atom::value, id); }};
    caf::scoped_actor self{system_};
    Reply result;
    self->request(client_, order_timeout, atom, std::move(order))
        .receive(
            [&](Reply& reply) { result = std::move(reply); },
            [&](caf::error& reason) {
              if (code_of(reason) == errc::cancelled)
                throw cancelled(
                    opened ? "interrupted: the session is closed on every server"
                           : "interrupted before a route was open");
              throw client_error(describe(reason));
            });
    return result;
  }

  client_system_config config_;
  caf::actor_system system_;
  std::shared_ptr<const model::ends> ends_;
  std::shared_ptr<const model::tokenizer> tokenizer_;
  node_actor node_;
  client_actor client_;
  std::atomic<uint64_t> next_order_{1};
};

}  // namespace

std::unique_ptr<client> client::make(const client_options& options) {
  try {
    model::set_compute_threads(options.threads);
    if (options.local) return make_local_client(options);
    // Before the model is read.
    parse_peers(options.peers);
    parse_ids(options.allow);
    parse_ids(options.block);
    auto membership = join_swarm(options.swarm, /*is_server=*/false);
    return std::make_unique<remote_client>(options, std::move(membership), model::checkpoint::open(options.model));
  } catch (const client_error&) {
    throw;
  } catch (const std::exception& e) {
    throw client_error(e.what());
  }
}

}  // namespace corolla::runtime
