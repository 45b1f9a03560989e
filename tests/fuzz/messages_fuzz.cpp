// Any bytes as the body of any message: refused, or exactly what its struct is encoded to.  The first byte says which
// struct.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>

#include "actors/wire/messages.hpp"
#include "tests/fuzz/require.hpp"

namespace {

using namespace corolla::actors::wire;

template <class Body>
void read(std::span<const std::byte> bytes) {
  if (auto body = decode_body<Body>(bytes)) REQUIRE(std::ranges::equal(encode_body(*body), bytes));
}

// Append only: the corpus counts on the places.
constexpr void (*readers[])(std::span<const std::byte>) = {
    read<open_body>,         read<opened_body>,       read<refused_body>,        read<close_body>,
    read<applied_body>,      read<failed_body>,       read<attach_body>,         read<step_body>,
    read<step_refused_body>, read<record_body>,       read<record_taken_body>,   read<snapshot_body>,
    read<snapshot_end_body>, read<announcement_body>, read<suspect_body>,        read<suspicion_body>,
    read<digest_body>,       read<digest_done_body>,  read<accept_body>,         read<edge_body>,
    read<answer_body>,       read<restored_body>,     read<edge_lost_body>,      read<status_body>,
    read<status_reply_body>, read<hand_over_body>,    read<leaving_body>,        read<drain_body>,
    read<drain_reply_body>,  read<sessions_body>,     read<sessions_reply_body>, read<prompts_body>};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  readers[data[0] % std::size(readers)](std::as_bytes(std::span{data + 1, size - 1}));
  return 0;
}
