// A link that a test plays: it keeps what its peer actor gives it, and the test sends what would have come.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <caf/typed_event_based_actor.hpp>

#include "actors/wire/link.hpp"

namespace corolla::tests {

/// What a peer actor gave its link.
struct given {
  std::vector<actors::wire::outgoing> frames;
  std::map<uint64_t, uint64_t> consumed;  // bytes of tensor data, by stream
  std::string fault;                      // it was told to end for
};

inline actors::wire::link_actor::behavior_type recording_link(
    actors::wire::link_actor::pointer, std::shared_ptr<given> all) {
  return {
      [all](actors::wire::frame_atom, const actors::wire::outgoing& frame) {
        all->frames.push_back(frame);
        return actors::taken{};
      },
      [all](actors::wire::consumed_atom, uint64_t stream, uint32_t bytes) { all->consumed[stream] += bytes; },
      [](actors::ping_atom) { return actors::link_quality{}; },
      [](actors::status_atom) { return actors::wire::link_status{}; },
      [all](actors::close_atom, actors::errc, const std::string& text) { all->fault = text; }};
}

}  // namespace corolla::tests
