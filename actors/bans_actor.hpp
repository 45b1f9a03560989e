// Which servers a client's routes leave alone for a while: what one of them met, all of them plan by.
#pragma once

#include <vector>

#include "actors/policy/ban_list.hpp"
#include "actors/protocol.hpp"

namespace corolla::actors {

/// BANS: a ban_list in the clock of its actor system.  Messages of one route are handled in their order, so that its
/// next plan knows of what it has just met.
using bans_actor = caf::typed_actor<
    // The server fell silent, or failed by a fault of its own.
    caf::reacts_to<offence_atom, peer_id>,
    // It did what it was asked.
    caf::reacts_to<success_atom, peer_id>,
    // Those that are banned now.
    caf::replies_to<snapshot_atom>::with<std::vector<peer_id>>>;

bans_actor spawn_bans(caf::actor_system& system, policy::ban_options options = {});

/// Whether an error that came of using a server speaks against it: its silence does, and what it computed wrong; that
/// it was full, was about to leave or holds other weights does not.
bool is_offence(errc code);

}  // namespace corolla::actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::policy::ban_options)
