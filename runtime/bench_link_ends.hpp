// The two ends of a measured link: one that answers, in a process of its own, and one that measures.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include <caf/actor_system_config.hpp>

#include "actors/wire/link.hpp"
#include "crypto/identity.hpp"

namespace corolla::runtime {

inline constexpr uint64_t bench_echo_stream = 1, bench_bulk_stream = 3;
inline constexpr auto bench_patience = std::chrono::minutes{5};

struct bench_caf_config : caf::actor_system_config {
  bench_caf_config();
};

/// Echoes, takes and counts what comes on `socket`, until the link ends.
void answer_bench(int socket);

using round_trips_atom = caf::atom_constant<caf::atom("roundtrips")>;
using bulk_atom = caf::atom_constant<caf::atom("bulk")>;
using beside_atom = caf::atom_constant<caf::atom("beside")>;

/// MEASURING END: runs in the I/O thread, as the link does, so that what is measured is the link.  One job at a time.
using bench_end_actor = caf::typed_actor<
    // Seconds of so many echoes of so many bytes, one after the other.
    caf::replies_to<round_trips_atom, uint32_t, uint32_t>::with<std::vector<double>>,
    // Bytes a second for so many messages of so many bytes, until the far end has taken the last.
    caf::replies_to<bulk_atom, uint32_t, uint32_t>::with<double>,
    // Round trips, as above, while bulk is under way on another stream all the time.
    caf::replies_to<beside_atom, uint32_t, uint32_t>::with<std::vector<double>>,
    caf::reacts_to<actors::wire::frame_atom, actors::wire::incoming>,
    caf::reacts_to<actors::wire::ended_atom, uint64_t>>;

/// Both the link and its measuring end.
struct bench_near {
  actors::wire::link_actor link;
  bench_end_actor end;
};
/// Returns when the link is up.  Throws std::runtime_error if it does not come up.
bench_near measure_over(caf::actor_system& system, int socket);

}  // namespace corolla::runtime
