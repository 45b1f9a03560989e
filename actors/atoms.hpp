// The words that messages between actors begin with (ten characters at most).
#pragma once

#include <caf/atom.hpp>

namespace corolla::actors {

using open_atom = caf::atom_constant<caf::atom("open")>;
using attach_atom = caf::atom_constant<caf::atom("attach")>;
using step_atom = caf::atom_constant<caf::atom("step")>;
using applied_atom = caf::atom_constant<caf::atom("applied")>;
using failed_atom = caf::atom_constant<caf::atom("failed")>;
using refused_atom = caf::atom_constant<caf::atom("refused")>;
using close_atom = caf::atom_constant<caf::atom("close")>;
using reserve_atom = caf::atom_constant<caf::atom("reserve")>;
using release_atom = caf::atom_constant<caf::atom("release")>;
using status_atom = caf::atom_constant<caf::atom("status")>;
using connect_atom = caf::atom_constant<caf::atom("connect")>;
using listen_atom = caf::atom_constant<caf::atom("listen")>;
using dial_atom = caf::atom_constant<caf::atom("dial")>;
using up_atom = caf::atom_constant<caf::atom("up")>;
using find_atom = caf::atom_constant<caf::atom("find")>;
using register_atom = caf::atom_constant<caf::atom("register")>;
using record_atom = caf::atom_constant<caf::atom("record")>;
using publish_atom = caf::atom_constant<caf::atom("publish")>;
using snapshot_atom = caf::atom_constant<caf::atom("snapshot")>;
using forward_atom = caf::atom_constant<caf::atom("forward")>;
using generate_atom = caf::atom_constant<caf::atom("generate")>;
using token_atom = caf::atom_constant<caf::atom("token")>;
using stop_atom = caf::atom_constant<caf::atom("stop")>;
using tick_atom = caf::atom_constant<caf::atom("tick")>;
using accept_atom = caf::atom_constant<caf::atom("accept")>;
using relink_atom = caf::atom_constant<caf::atom("relink")>;
using restore_atom = caf::atom_constant<caf::atom("restore")>;
using restored_atom = caf::atom_constant<caf::atom("restored")>;
using ping_atom = caf::atom_constant<caf::atom("ping")>;
using suspect_atom = caf::atom_constant<caf::atom("suspect")>;
using digest_atom = caf::atom_constant<caf::atom("digest")>;
using withdraw_atom = caf::atom_constant<caf::atom("withdraw")>;
using watch_atom = caf::atom_constant<caf::atom("watch")>;
using changed_atom = caf::atom_constant<caf::atom("changed")>;
using audit_atom = caf::atom_constant<caf::atom("audit")>;
using hand_over_atom = caf::atom_constant<caf::atom("hand_over")>;
using prepare_atom = caf::atom_constant<caf::atom("prepare")>;
using leaving_atom = caf::atom_constant<caf::atom("leaving")>;
using drain_atom = caf::atom_constant<caf::atom("drain")>;
using sessions_atom = caf::atom_constant<caf::atom("sessions")>;
using offence_atom = caf::atom_constant<caf::atom("offence")>;
using success_atom = caf::atom_constant<caf::atom("success")>;
using read_atom = caf::atom_constant<caf::atom("read")>;
using write_atom = caf::atom_constant<caf::atom("write")>;
using prompts_atom = caf::atom_constant<caf::atom("prompts")>;
using edge_lost_atom = caf::atom_constant<caf::atom("edge_lost")>;

}  // namespace corolla::actors
