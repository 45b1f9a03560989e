// Any bytes as frames, in pieces of any size: the reader finds the same frames as in one piece, gathers no body beyond
// the limit of its type, and reads nothing behind a header that breaks a rule.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "actors/wire/frame_reader.hpp"
#include "tests/fuzz/require.hpp"

namespace {

using namespace corolla::actors::wire;
using bytes_view = std::span<const std::byte>;

struct read_frame {
  frame_header header;
  std::vector<std::byte> body;
  bool operator==(const read_frame&) const = default;
};

class recorder final : public frame_reader::listener {
 public:
  placement place(const checked_header& checked) override {
    using kind = placement::kind;
    REQUIRE(!faulty_);
    auto& header = checked.header;
    faulty_ = !checked.fault.empty();
    if (faulty_) return {kind::discard, {}, {}};
    REQUIRE(decode_header(encode(header)).header == header);
    REQUIRE(
        header.length <=
        (header.type == frame_type::data ? limits::chunk_bytes : sizeof(uint32_t) + limits::body_bytes));
    if (is_skippable(header.type)) return {kind::skip, {}, {}};
    if (header.type != frame_type::data) return {kind::gather, {}, {}};
    room_ = std::make_shared<std::vector<std::byte>>(header.length);
    return {kind::direct, *room_, room_};
  }
  void frame_read(const frame_header& header, bytes_view body) override {
    REQUIRE(!faulty_ && !is_skippable(header.type));
    if (header.type == frame_type::data) body = *room_;
    REQUIRE(body.size() == header.length);
    frames.push_back({header, {body.begin(), body.end()}});
  }

  std::vector<read_frame> frames;

 private:
  bool faulty_ = false;
  std::shared_ptr<std::vector<std::byte>> room_;
};

/// What the reader finds in `bytes`, given in pieces of `piece`.
std::vector<read_frame> read(bytes_view bytes, size_t piece) {
  recorder found;
  frame_reader reader{found};
  while (!bytes.empty()) {
    auto room = reader.room();
    REQUIRE(!room.empty());
    auto size = std::min({room.size(), bytes.size(), piece});
    std::memcpy(room.data(), bytes.data(), size);
    bytes = bytes.subspan(size);
    reader.filled(size);
  }
  return found.frames;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  auto bytes = std::as_bytes(std::span{data + 1, size - 1});
  REQUIRE(read(bytes, /*piece=*/1 + data[0]) == read(bytes, /*piece=*/SIZE_MAX));
  return 0;
}
