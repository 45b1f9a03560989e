// Every body that travels, by name: a fuzz target reads them, and a test sees to it that the corpus has one of each.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "actors/wire/messages.hpp"
#include "tests/fuzz/require.hpp"

namespace corolla::tests {

/// The same bytes, but for control characters of texts, which are read as question marks.
inline bool are_same_message(std::span<const std::byte> encoded, std::span<const std::byte> read) {
  return std::ranges::equal(encoded, read, [](std::byte kept, std::byte came) {
    const auto c = std::to_integer<uint8_t>(came);
    return kept == came || (kept == std::byte{'?'} && (c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0xc2));
  });
}

/// False: refused.  What is read is exactly what its struct is encoded to.
template <class Body>
bool read_message(std::span<const std::byte> bytes) {
  auto body = actors::wire::decode_body<Body>(bytes);
  if (body) REQUIRE(are_same_message(actors::wire::encode_body(*body), bytes));
  return body.has_value();
}

struct message_reader {
  std::string_view name;
  bool (*read)(std::span<const std::byte> bytes);
};

// Append only: the corpus counts on the places.
inline constexpr message_reader message_readers[] = {
    {"open", read_message<actors::wire::open_body>},
    {"opened", read_message<actors::wire::opened_body>},
    {"refused", read_message<actors::wire::refused_body>},
    {"close", read_message<actors::wire::close_body>},
    {"applied", read_message<actors::wire::applied_body>},
    {"failed", read_message<actors::wire::failed_body>},
    {"attach", read_message<actors::wire::attach_body>},
    {"step", read_message<actors::wire::step_body>},
    {"step_refused", read_message<actors::wire::step_refused_body>},
    {"record", read_message<actors::wire::record_body>},
    {"record_taken", read_message<actors::wire::record_taken_body>},
    {"snapshot", read_message<actors::wire::snapshot_body>},
    {"snapshot_end", read_message<actors::wire::snapshot_end_body>},
    {"announcement", read_message<actors::wire::announcement_body>},
    {"suspect", read_message<actors::wire::suspect_body>},
    {"suspicion", read_message<actors::wire::suspicion_body>},
    {"digest", read_message<actors::wire::digest_body>},
    {"digest_done", read_message<actors::wire::digest_done_body>},
    {"accept", read_message<actors::wire::accept_body>},
    {"edge", read_message<actors::wire::edge_body>},
    {"answer", read_message<actors::wire::answer_body>},
    {"restored", read_message<actors::wire::restored_body>},
    {"edge_lost", read_message<actors::wire::edge_lost_body>},
    {"status", read_message<actors::wire::status_body>},
    {"status_reply", read_message<actors::wire::status_reply_body>},
    {"hand_over", read_message<actors::wire::hand_over_body>},
    {"leaving", read_message<actors::wire::leaving_body>},
    {"drain", read_message<actors::wire::drain_body>},
    {"drain_reply", read_message<actors::wire::drain_reply_body>},
    {"sessions", read_message<actors::wire::sessions_body>},
    {"sessions_reply", read_message<actors::wire::sessions_reply_body>},
    {"prompts", read_message<actors::wire::prompts_body>},
};

}  // namespace corolla::tests
