// The links of a node: one for each peer, dialled only at addresses that a user gave or that the peer itself announced.
#pragma once

#include "actors/node_state.hpp"

namespace corolla::actors::links {

caf::result<crypto::address> listen(
    node_pointer self, const std::string& host, uint16_t port, const std::vector<std::string>& announce);
caf::result<peer_actor> connect(node_pointer self, const crypto::address& address);
caf::result<peer_actor> connect(node_pointer self, const peer_id& peer, std::chrono::milliseconds patience = {});
/// Dials a bootstrap node again after `pause`, and after twice as long each time that this fails, up to a second.
void keep(node_pointer self, const crypto::address& address, std::chrono::milliseconds pause);

caf::result<taken> up(node_pointer self, const link_info& info, const peer_actor& peer);
/// A link has ended: true if it was one.
bool down(node_pointer self, const caf::down_msg& message);
/// A dialled link did not come up.
void failed(node_pointer self, const peer_id& peer, const caf::error& reason);
/// Nobody is dialled any more, and whoever waits for a link hears so.
void give_up(node_pointer self);
void close_all(node_pointer self);

}  // namespace corolla::actors::links
