#include "actors/wire/frame.hpp"

#include "actors/wire/little_endian.hpp"

namespace corolla::actors::wire {
namespace {

enum class on_stream : uint8_t { none, one, either };

constexpr uint8_t control = 1, step = 2, bulk = 4;

struct rule {
  uint8_t classes = 0;  // none: the type is unknown
  on_stream stream = on_stream::either;
  uint32_t min_length = 0;
  uint32_t max_length = limits::body_bytes;
  bool data = false;
  bool begins = false;
};

constexpr uint32_t size_field = sizeof(uint32_t);

constexpr rule rule_of(frame_type type) {
  switch (type) {
    case frame_type::hello:
      return {control, on_stream::none};
    case frame_type::goodbye:
      return {control, on_stream::none, 1};
    case frame_type::ping:
    case frame_type::pong:
      return {control, on_stream::none, sizeof(uint64_t), sizeof(uint64_t)};
    case frame_type::credit:
      return {control, on_stream::one, sizeof(uint32_t), sizeof(uint32_t)};
    case frame_type::data:
      return {step | bulk, on_stream::one, 1, limits::chunk_bytes};
    case frame_type::end_stream:
      return {control, on_stream::one, 0, 0};
    case frame_type::open:
    case frame_type::attach:
      return {control, on_stream::one, 0, limits::body_bytes, /*data=*/false, /*begins=*/true};
    case frame_type::opened:
    case frame_type::close:
    case frame_type::applied:
    case frame_type::failed:
    case frame_type::step_refused:
    case frame_type::status:
    case frame_type::status_reply:
    case frame_type::accept:
    case frame_type::restore:
    case frame_type::relink:
    case frame_type::answer:
    case frame_type::restored:
    case frame_type::edge_lost:
    case frame_type::leaving:
    case frame_type::hand_over:
    case frame_type::prepare:
      return {control, on_stream::one};
    case frame_type::step:
      return {step | bulk, on_stream::one, size_field, size_field + limits::body_bytes, /*data=*/true};
    case frame_type::prompts:
      return {bulk, on_stream::one, size_field, size_field + limits::body_bytes, /*data=*/true};
    case frame_type::record:
    case frame_type::record_taken:
    case frame_type::snapshot:
    case frame_type::snapshot_end:
    case frame_type::suspect:
    case frame_type::digest:
    case frame_type::digest_done:
    case frame_type::drain:
    case frame_type::drain_reply:
    case frame_type::sessions:
    case frame_type::sessions_reply:
      return {control, on_stream::none};
    case frame_type::refused:
      return {control, on_stream::either};
    case frame_type::bench_echo:
      return {control | step | bulk, on_stream::one, size_field, size_field + limits::body_bytes, /*data=*/true,
              /*begins=*/true};
  }
  return {};
}

}  // namespace

bool is_known(frame_type type) {
  return rule_of(type).classes != 0;
}
bool announces_data(frame_type type) {
  return rule_of(type).data;
}
bool begins_stream(frame_type type) {
  return rule_of(type).begins;
}

std::string_view fault_of(const frame_header& header) {
  if (static_cast<uint8_t>(header.cls) >= num_priorities) return "a frame of a class that does not exist";
  if (is_skippable(header.type))
    return header.length <= limits::body_bytes ? "" : "a frame of an unknown type that is too long to skip";
  auto rule = rule_of(header.type);
  if (rule.classes == 0) return "a frame of an unknown type";
  if ((rule.classes >> static_cast<uint8_t>(header.cls) & 1) == 0)
    return "a frame in a class that its type must not have";
  if (rule.stream != on_stream::either && (rule.stream == on_stream::none) != (header.stream == 0))
    return header.stream == 0 ? "a frame without a stream that needs one" : "a frame on a stream that needs none";
  if (header.length < rule.min_length || header.length > rule.max_length)
    return "a frame of a length that its type must not have";
  return {};
}

std::array<std::byte, limits::frame_header_bytes> encode(const frame_header& header) {
  std::array<std::byte, limits::frame_header_bytes> bytes{};
  bytes[0] = static_cast<std::byte>(header.type);
  bytes[1] = static_cast<std::byte>(header.cls);
  store(&bytes[4], header.length);
  store(&bytes[8], header.stream);
  return bytes;
}

checked_header decode_header(std::span<const std::byte, limits::frame_header_bytes> bytes) {
  frame_header header{
      static_cast<frame_type>(bytes[0]), static_cast<priority>(bytes[1]), load<uint32_t>(&bytes[4]),
      load<uint64_t>(&bytes[8])};
  if (load<uint16_t>(&bytes[2]) != 0) return {header, "a frame header with bits that must be zero"};
  return {header, fault_of(header)};
}

}  // namespace corolla::actors::wire
