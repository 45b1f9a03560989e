#include "actors/node_links.hpp"

#include <algorithm>
#include <utility>

#include <caf/sec.hpp>

#include "actors/self_peer.hpp"
#include "actors/wire/peer.hpp"

namespace corolla::actors::links {
namespace {

constexpr auto ending_text = "the node is ending";
constexpr auto dial_timeout = std::chrono::seconds{8};
constexpr auto find_timeout = std::chrono::seconds{5};
/// Between two tries to reach a node that others are found through: whoever was cut off is back soon.
constexpr auto longest_pause = std::chrono::milliseconds{1000};

wire::make_owner owner_maker(node_pointer self) {
  auto& system = self->system();
  wire::peer_config config{node_actor{self}, self->state.settings->directory};
  return [&system, config](const wire::link_actor& link, const link_info& info) -> wire::frame_sink_actor {
    return wire::spawn_peer(system, link, info, config);
  };
}

/// A socket that was dialled becomes a link; it tells by `up`, or by ending before.
void start(node_pointer self, const peer_id& peer, int socket, std::string remote) {
  auto& state = self->state;
  wire::link_start start;
  start.socket = socket;
  start.dialled = true;
  start.expected = peer;
  start.remote = std::move(remote);
  start.config = state.settings->link;
  start.owner = owner_maker(self);
  auto link = state.settings->make_link(self->system(), std::move(start));
  self->monitor(link);
  state.handshakes.emplace(link.address(), peer);
  if (state.stopping) self->send(link, close_atom::value, errc::stopping, ending_text);
}

/// Tries the addresses one after the other.
void dial(node_pointer self, const peer_id& peer, std::vector<crypto::address> addresses, size_t index) {
  auto address = addresses[index];
  self->request(self->state.settings->dialer, dial_timeout, dial_atom::value, address.host, address.port)
      .then(
          [self, peer, address](int socket) { start(self, peer, socket, address.to_string()); },
          [self, peer, addresses, index](caf::error& reason) {
            if (index + 1 < addresses.size() && !self->state.stopping) return dial(self, peer, addresses, index + 1);
            failed(self, peer, reason);
          });
}

/// One dial at a time for each peer.
void join_dial(
    node_pointer self, const peer_id& peer, std::vector<crypto::address> addresses,
    caf::typed_response_promise<peer_actor> promise) {
  if (self->state.stopping) {
    promise.deliver(make_error(errc::stopping, ending_text));
    return;
  }
  auto& waiting = self->state.dialling[peer];
  waiting.push_back(std::move(promise));
  if (waiting.size() == 1) dial(self, peer, std::move(addresses), 0);
}

caf::result<peer_actor> connect(node_pointer self, const peer_id& peer, std::vector<crypto::address> addresses) {
  auto promise = self->make_response_promise<peer_actor>();
  join_dial(self, peer, std::move(addresses), promise);
  return promise;
}

/// Which of two links to the same peer stays: of two dialled at once the one dialled by the smaller id, else the older.
/// Another process with the same identity never takes the first one's place.
bool newer_stays(const peer_id& self, const link_info& older, const link_info& newer) {
  if (older.instance != newer.instance) return false;
  if (older.dialled == newer.dialled) return false;
  return newer.dialled ? self < newer.peer : newer.peer < self;
}

/// The link to a peer, unless somebody still waits for that peer to take this node.
const linked_peer* link_to(const node_state& state, const peer_id& peer) {
  auto found = state.links.find(peer);
  return found == state.links.end() || state.dialling.contains(peer) ? nullptr : &found->second;
}

/// Why a link is one too many.
std::string too_many(const link_info& older, const link_info& newer) {
  if (older.instance == newer.instance) return "another link between the two nodes is up";
  return "another process with the identity " + newer.peer.to_string() +
         " is linked; two nodes must not share a key: give this one another node.identity";
}

/// The directory hears of a link, and settles with the peer's who lacks which record.  A link comes up here before the
/// other side has judged this node: who waits for it gets it once the peer has answered.  A peer that refuses ends the
/// link, and `down` says why.
void introduce(node_pointer self, const link_info& info, const peer_actor& peer) {
  auto id = info.peer;
  self->request(self->state.settings->directory, find_timeout + std::chrono::seconds{1}, up_atom::value, info, peer)
      .then(
          [self, id, peer](taken) {
            if (auto link = self->state.links.find(id);
                link != self->state.links.end() && link->second.actor == peer && link->second.info.is_server)
              self->send(self->state.probe, up_atom::value, id, peer);
            if (auto waiting = self->state.dialling.extract(id); !waiting.empty())
              for (auto& promise : waiting.mapped()) promise.deliver(peer);
          },
          [self, id](caf::error& reason) {
            if (reason == caf::sec::request_timeout) failed(self, id, reason);
          });
}

bool is_kept(const node_state& state, const peer_id& peer, crypto::address& address) {
  for (auto& kept : state.kept)
    if (kept.peer == peer) {
      address = kept;
      return true;
    }
  return false;
}

}  // namespace

caf::result<crypto::address> listen(
    node_pointer self, const std::string& host, uint16_t port, const std::vector<std::string>& announce) {
  auto& state = self->state;
  wire::acceptor_start start;
  start.host = host;
  start.port = port;
  start.config = state.settings->link;
  start.owner = owner_maker(self);
  auto listening = wire::spawn_acceptor(self->system(), std::move(start));
  if (!listening) return listening.error();
  state.acceptor = listening->acceptor;
  crypto::address bound{std::nullopt, listening->host, listening->port};
  state.announce = announce.empty() ? std::vector{bound.to_string()} : announce;
  // The first announced one is what people are told.
  if (auto given = crypto::address::parse_host_port(state.announce.front())) bound = *given;
  bound.peer = state.settings->link->self;
  state.address = bound.to_string();
  return bound;
}

caf::result<peer_actor> connect(node_pointer self, const crypto::address& address) {
  auto& state = self->state;
  if (!address.peer) return make_error(errc::bad_request, "an address needs the id of its peer");
  if (*address.peer == state.settings->link->self) return make_error(errc::bad_request, "this is the node itself");
  if (auto link = link_to(state, *address.peer)) return link->actor;
  return connect(self, *address.peer, std::vector{address});
}

caf::result<peer_actor> connect(node_pointer self, const peer_id& peer, std::chrono::milliseconds patience) {
  auto& state = self->state;
  if (auto link = link_to(state, peer)) return link->actor;
  if (peer == state.settings->link->self) {
    if (!state.itself) state.itself = spawn_self_peer(self->system(), node_actor{self}, peer);
    return state.itself;
  }
  auto promise = self->make_response_promise<peer_actor>();
  self->request(state.settings->directory, find_timeout + patience, find_atom::value, peer, patience)
      .then(
          [self, peer, promise](const server_record& record) mutable {
            std::vector<crypto::address> addresses;
            for (auto& text : record.addresses)
              if (auto address = crypto::address::parse_host_port(text); address && address->port != 0) {
                address->peer = peer;
                addresses.push_back(std::move(*address));
              }
            if (addresses.empty()) {
              promise.deliver(
                  make_error(errc::unknown_peer, peer.to_string() + " announced no address that can be dialled"));
              return;
            }
            // A link may have come up while the directory was asked.
            if (auto link = link_to(self->state, peer)) {
              promise.deliver(link->actor);
              return;
            }
            join_dial(self, peer, std::move(addresses), promise);
          },
          [promise](caf::error& reason) mutable { promise.deliver(std::move(reason)); });
  return promise;
}

void keep(node_pointer self, const crypto::address& address, std::chrono::milliseconds pause) {
  auto& state = self->state;
  if (state.stopping) return;
  crypto::address known;
  if (address.peer && !is_kept(state, *address.peer, known)) state.kept.push_back(address);
  self->request(node_actor{self}, dial_timeout + find_timeout, connect_atom::value, address)
      .then(
          [](const peer_actor&) {},  // its end will be heard
          [self, address, pause](caf::error&) {
            auto longer = std::min(pause * 2, longest_pause);
            self->delayed_send(self, pause, connect_atom::value, address, longer);
          });
}

caf::result<taken> up(node_pointer self, const link_info& info, const peer_actor& peer) {
  auto& state = self->state;
  if (state.stopping) {
    self->send(peer, close_atom::value, errc::stopping, ending_text);
    return taken{};
  }
  if (info.peer == state.settings->link->self) {
    auto itself = info.instance == state.settings->link->instance;
    self->send(
        peer, close_atom::value, itself ? errc::bad_request : errc::duplicate_link,
        itself ? "this is the node itself"
               : "this node has the identity " + info.peer.to_string() +
                     " too; two nodes must not share a key: give one another node.identity");
    return taken{};
  }
  auto found = state.links.find(info.peer);
  if (found != state.links.end()) {
    auto loser = newer_stays(state.settings->link->self, found->second.info, info) ? found->second.actor : peer;
    self->send(loser, close_atom::value, errc::duplicate_link, too_many(found->second.info, info));
    if (loser == peer) return taken{};
  }
  self->monitor(peer);
  state.links.insert_or_assign(info.peer, linked_peer{info, peer});
  introduce(self, info, peer);
  return taken{};
}

bool down(node_pointer self, const caf::down_msg& message) {
  auto& state = self->state;
  if (auto handshake = state.handshakes.extract(message.source); !handshake.empty()) {
    auto peer = handshake.mapped();
    // The end of a link that was up is told by its peer actor.
    if (!state.links.contains(peer)) failed(self, peer, message.reason);
    return true;
  }
  for (auto link = state.links.begin(); link != state.links.end(); ++link) {
    if (link->second.actor.address() != message.source) continue;
    auto peer = link->first;
    state.links.erase(link);
    failed(self, peer, message.reason);
    crypto::address address;
    if (!state.stopping && is_kept(state, peer, address))
      self->delayed_send(
          self, std::chrono::milliseconds{500}, connect_atom::value, address, std::chrono::milliseconds{1000});
    return true;
  }
  return false;
}

void failed(node_pointer self, const peer_id& peer, const caf::error& reason) {
  auto waiting = self->state.dialling.extract(peer);
  if (waiting.empty()) return;
  for (auto& promise : waiting.mapped()) promise.deliver(reason);
}

void give_up(node_pointer self) {
  auto& state = self->state;
  for (auto& [link, peer] : state.handshakes)
    if (!state.links.contains(peer))
      if (auto handshake = caf::actor_cast<wire::link_actor>(link))
        self->send(handshake, close_atom::value, errc::stopping, ending_text);
  for (auto& [peer, waiting] : std::exchange(state.dialling, {}))
    for (auto& promise : waiting) promise.deliver(make_error(errc::stopping, ending_text));
}

void close_all(node_pointer self) {
  for (auto& [peer, link] : self->state.links) self->send(link.actor, close_atom::value, errc::stopping, ending_text);
}

}  // namespace corolla::actors::links
