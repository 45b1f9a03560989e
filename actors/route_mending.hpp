// How a route's chain is made and mended (the protocol is in ARCHITECTURE.md): a gap is planned, its substitutes are
// opened and restored, and then the hops around it are switched over to them.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "actors/route_state.hpp"

namespace corolla::actors::route_mending {

/// Opens the chain.
void open(route_pointer self);
/// Replaces what is lost or broken, if anything is and nothing is being replaced.
void begin_next(route_pointer self);
void hop_lost(route_pointer self, size_t index, const std::string& why);
/// Something is wrong with a step, maybe by the caller's fault: it is taken for that of a hop, which is replaced; where
/// something is wrong with the same step then, the route ends.
void replace_once(route_pointer self, size_t index, errc code, const std::string& text);
/// A hop would not compute a step, or ended over it: true if it was treated as above.
bool hop_objects(route_pointer self, size_t index, errc code, const std::string& text);
/// The hop has not moved for too long: a substitute is made ready, and takes over unless the hop answers first.
void hop_late(route_pointer self, size_t index);
/// The edge into a hop (or into this route's own end) is of no more use.
void edge_broken(route_pointer self, size_t into, const std::string& why);
/// An output has come: what was late has answered.
void output_came(route_pointer self);
/// Everything that the client's link to a peer told is over.
void peer_lost(route_pointer self, const caf::actor_addr& peer, const caf::error& reason);
void session_ended(route_pointer self, const session_failed& event);
void session_restored_there(route_pointer self, const session_restored& event);
void edge_reported(route_pointer self, const edge_lost& event);
void session_leaving_there(route_pointer self, const session_leaving& event);
/// The first substitute takes nothing more from here.
void substitute_refused(route_pointer self, const caf::error& reason);
/// Servers that take too long to open, or to be restored, are replaced.
void look_at_deadline(route_pointer self);
void servers_changed(route_pointer self);
/// A server that leaves had nobody to go to, and may have by now.
void look_at_move(route_pointer self);
/// A request is under way: now and then, whether another route would be much faster.
void look_for_better(route_pointer self);
void close_all(route_pointer self);

// -- between the parts ----------------------------------------------------------------------------------------------

/// Linking to a server, and asking this node's own actors.
inline constexpr auto connect_timeout = std::chrono::seconds{8};
/// Nobody waits longer for the way to a server to be measured: linking and a ping are some four round trips.
inline constexpr auto measuring_time = std::chrono::milliseconds{300};
/// Attempts between two outputs that end as they began, with as many servers to choose from, or losses; then it is time
/// to wait.
inline constexpr uint32_t vain_tries_in_a_row = 8;
/// Restoring a token, where no prompt has shown how long one takes.
inline constexpr auto assumed_per_token = std::chrono::milliseconds{50};
/// What a hop is asked in the course of mending, beyond what the request itself may take.
inline constexpr auto answer_timeout = std::chrono::seconds{2};

/// The mending of this epoch, if it is still under way: answers may come later.
mending* current(route_pointer self, uint64_t epoch);
inline bool is_opening(const route_state& state) {
  return state.now == phase::opening;
}
/// What is replaced serves as long as it is not.
inline bool is_optional(const mending& m) {
  return m.late || m.moves;
}
/// The client is the hop before the gap, or behind it.
inline bool fed_by_client(const mending& m) {
  return m.first == 0;
}
inline bool feeds_client(const route_state& state, const mending& m) {
  return m.last == state.hops.size();
}
/// Where the edge into a hop leads; behind the last, the route's own end.
inline const session_id& receiver_of(const route_state& state, size_t into) {
  return into < state.hops.size() ? state.hops[into].session : state.sink_session;
}
/// What refused or could not be reached so far counts no more.
void leave_nobody_out(route_state& state);
/// A server that leaves has nobody to go to now.
void put_off_move(route_pointer self);
/// Using the server came to this: where that speaks against it, the next plans leave it alone.
void blame(route_pointer self, const peer_id& peer, errc code);
/// A server was not there, which says nothing against it once it is.
bool is_loss(errc code);
/// "server ID"
std::string named(const hop& h);
void begin(route_pointer self, mending m);
/// A hop that is about to leave is replaced while it goes on.
void begin_move(route_pointer self);
/// What was done so far is undone at every server; nothing has been replaced.
void abandon(route_pointer self);
/// Tries again, with the next epoch and whatever is lost by now.
void again(route_pointer self, caf::error reason);
/// Looks for servers, and opens sessions at them; then comes `restore`, or `commit` where there is nothing to restore.
void plan(route_pointer self);
/// What this client knows of its ways to servers, once it has looked for those that are wanted.
void measure(
    route_pointer self, std::vector<peer_id> wanted, std::function<void(const std::vector<ping_time>&)> then,
    std::function<void(caf::error&)> failed);
/// There is nobody (more) to try: the directory tells of a server that joins, and those that are known are asked again
/// after a while.  The deadline ends it.
void wait_for_servers(route_pointer self, caf::error reason);
/// Servers did not answer in time.
void opens_overdue(route_pointer self);
/// Has the hop that leaves give what it has to the substitute, or the one before the gap send its rows to the first.
void restore(route_pointer self);
/// A hop that leaves could not hand over.
void hand_over_failed(route_pointer self, uint64_t epoch, const caf::error& reason);
/// Switches the hops around the gap over to the substitutes, which hold all that they need: first the hop behind it
/// takes nothing more of what was before, then the hop before it sends there no more.
void commit(route_pointer self);
/// The hop before the gap cannot reach the first substitute, or keeps no rows, or is gone.
void source_failed(route_pointer self, uint64_t epoch, const caf::error& reason);

}  // namespace corolla::actors::route_mending
