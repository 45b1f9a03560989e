// A swarm in virtual time: whole nodes (node, directory, block, sessions, peers) over in-memory links, on spans that
// compute exactly.  Everything is reproducible: what happens depends on the calls alone.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "actors/node_actor.hpp"
#include "actors/route_actor.hpp"
#include "actors/wire/peer.hpp"
#include "tests/support/fake_span.hpp"
#include "tests/support/memory_link.hpp"
#include "tests/support/virtual_time.hpp"

namespace corolla::tests {

class virtual_swarm {
 public:
  static constexpr int64_t hidden_size = 4;
  static constexpr uint32_t num_blocks = 6;
  static model::model_digests digests();

  explicit virtual_swarm(std::chrono::microseconds delay = {});
  ~virtual_swarm();
  virtual_swarm(const virtual_swarm&) = delete;

  virtual_time& time() { return time_; }

  /// A server that everybody knows of.
  size_t add(model::block_range blocks, uint64_t cache_tokens = 4096);
  size_t size() const { return nodes_.size(); }
  /// It announces itself anew, to the client: it is not gone, whatever is said of it, and so fast now.
  void announce(size_t server, uint32_t steps_per_s = 0);
  actors::peer_id peer(size_t server) const;
  /// Which server a hop is on.
  size_t server_of(const actors::peer_id& peer) const;

  actors::route_actor route(const actors::route_options& options);
  /// What the client is told of a server's sessions.
  answer_ptr<actors::session_list> sessions(size_t server);
  /// What a peer actor of the server's works for.
  actors::wire::peer_config served(size_t server) const { return {nodes_[server].actor, nodes_[server].directory}; }
  /// Changes the settings of servers that are added from now on; may be empty.
  std::function<void(actors::node_settings&)> adjust;
  /// Of peers that link from now on.
  std::vector<crypto::role> roles{crypto::role::server, crypto::role::client, crypto::role::admin};

  // -- faults --

  /// As `kill -9`: links end at once.
  void kill(size_t server);
  /// As SIGTERM: the server leaves in order.
  void drain(size_t server);
  /// As SIGSTOP and SIGCONT, as far as others can see.
  void stop(size_t server);
  void resume(size_t server);
  /// Nothing that the server sends, or nothing that is sent to it, arrives any more.
  void cut_from(size_t server);
  void cut_to(size_t server);
  /// The actor that computes there ends by itself.
  void break_block(size_t server);
  /// Why a server's node ended; nothing while it runs.
  std::optional<caf::error> end_of(size_t server);
  /// What goes to the server, or comes from it, takes so much longer from now on.
  void slow_down(size_t server, std::chrono::microseconds by);
  /// From now on one step in `n` comes twice, and the second time maybe behind later messages: what two edges do that
  /// both send it.  Of links that are made from now on.
  void repeat_steps(uint32_t n, uint32_t seed);
  /// Its next pass fails.
  void fail_once(size_t server);
  /// All its passes fail, and `also` is done each time.
  void fail_always(size_t server, std::function<void()> also = {}) {
    nodes_[server].span->always_fails = true;
    nodes_[server].span->between_blocks = std::move(also);
  }
  /// It announces that it is about to leave, or no longer, in a moment.
  void flap(size_t server) {
    auto& n = nodes_[server];
    using enum actors::server_state;
    n.record.state = n.record.state == online ? draining : online;
    ++n.record.seq;
    sign(server);
    time_.system().spawn(
        [to = nodes_[0].directory, told = n.as_told, from = n.config->self](caf::event_based_actor* self) {
          self->delayed_send(to, std::chrono::milliseconds{10}, actors::record_atom::value, told, from);
        });
  }
  /// What its next pass gives is no number.
  void poison_once(size_t server) { nodes_[server].span->poisons_next = true; }
  /// The way between two servers alone is lost, with both its ends; each takes the other for dead until it hears of it
  /// again, a moment later.
  void cut_between(size_t one, size_t other);
  /// Two servers never reach each other again.
  void part(size_t one, size_t other);
  /// Neither killed nor gone by itself.
  bool is_alive(size_t server);
  /// The client has met the server failing.
  void ban(size_t server);
  /// Whom the client leaves alone.
  std::vector<actors::peer_id> banned();
  /// What the server has computed.
  const std::vector<std::vector<model::cache_id>>& passes(size_t server) const { return nodes_[server].span->passes; }

  // -- running --

  /// Lets so many messages be handled; false: there was none.
  bool run(size_t messages);
  /// Moves the clock from timeout to timeout, so that nobody takes the time for silence.
  void pass(std::chrono::nanoseconds time);
  /// Until `done`, moving the clock from timeout to timeout; false: nothing more would happen, or an hour has passed.
  bool run_until(const std::function<bool()>& done);
  /// The same, stopping behind the very message that brings it about; false: it did not happen `within` this time.
  bool run_to(const std::function<bool()>& there, std::chrono::nanoseconds within);

  /// Tokens reserved at a server.
  uint64_t used_tokens(size_t server) const { return nodes_[server].span->used_tokens; }
  /// How often room was given at a server, ever.
  uint64_t reservations(size_t server) const { return nodes_[server].span->reservations; }
  /// What a server, or the client (0), keeps of any session, in itself and in its links; nothing where it keeps
  /// nothing.
  std::string left_at(size_t index);
  actors::node_status status(size_t server);

 private:
  struct node {
    std::unique_ptr<crypto::identity> identity;
    std::shared_ptr<const actors::wire::link_config> config;
    actors::node_actor actor;
    actors::directory_actor directory;
    actors::dialer_actor dialer;
    actors::block_actor block;
    std::shared_ptr<fake_span::controls> span;
    actors::server_record record;
    actors::signed_server_record as_told;
    bool alive = true;
    bool stopped = false;
    bool drains = false;
    std::chrono::microseconds slower{0};
  };
  struct wire_between {
    size_t from = 0, to = 0;  // indices of nodes
    memory_links links;
  };

  node make_node(bool is_server);
  actors::wire::link_actor connect(size_t from, actors::wire::link_start start);
  std::chrono::microseconds delay_between(size_t one, size_t other) const;
  std::string left_in(const actors::wire::link_actor& link, size_t towards);
  void sign(size_t server);
  void tell(size_t whom, size_t of);
  void tell_later(size_t whom, size_t of);
  template <class Function>
  void for_wires_of(size_t server, Function f);

  virtual_time time_;
  user user_{time_};
  std::chrono::microseconds delay_;
  uint32_t repeated_ = 0;  // one step in so many; 0: none
  uint32_t repeat_seed_ = 0;
  std::deque<node> nodes_;  // the client is the first
  actors::bans_actor bans_;
  std::set<std::pair<size_t, size_t>> parted_;
  std::deque<wire_between> wires_;
  std::shared_ptr<const actors::route_model> model_;
  std::shared_ptr<std::atomic<bool>> never_ = std::make_shared<std::atomic<bool>>(false);
};

}  // namespace corolla::tests
