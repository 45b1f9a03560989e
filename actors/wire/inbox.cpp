#include "actors/wire/inbox.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "actors/wire/little_endian.hpp"

namespace corolla::actors::wire {

void inbox::open(uint64_t stream) {
  streams_[stream];
  flow_.open(stream);
}

void inbox::close(uint64_t stream) {
  streams_.erase(stream);
  flow_.close(stream);
}

inbox::begun inbox::begin(const frame_header& header, std::span<const std::byte> body) {
  uint32_t size = 0;
  if (announces_data(header.type)) {
    size = load<uint32_t>(body.data());
    body = body.subspan(sizeof size);
    if (size > takes_.payload) return {"a message larger than was allowed", {}};
    if (size > 0 && header.cls == priority::control) return {"a control message with data", {}};
  }
  incoming message{header.type, header.cls, header.stream, {body.begin(), body.end()}, nullptr};
  // Control messages are whole at once, and may go on stream 0.
  auto slot = header.cls == priority::control ? nullptr : &streams_.at(header.stream)[static_cast<size_t>(header.cls)];
  if (slot != nullptr && slot->active) return {"a message within another of its stream and class", {}};
  if (size == 0) return {{}, std::move(message)};
  flow_.announce(header.stream, size);
  *slot = {};
  slot->active = true;
  slot->message = std::move(message);
  slot->size = size;
  return {};
}

inbox::place inbox::place_data(const frame_header& header) {
  auto& slot = streams_.at(header.stream)[static_cast<size_t>(header.cls)];
  if (!slot.active) return {"data without a message", {}, {}};
  if (header.length > slot.size - slot.received) return {"more data than the message announced", {}, {}};
  if (header.length > takes_.chunk) return {"a data frame larger than was allowed", {}, {}};
  if (!flow_.receive(header.stream, header.length)) return {"data beyond the credit of its stream", {}, {}};
  auto end = slot.received + header.length;
  if (!slot.buffer || end > slot.buffer->size()) {
    // A chunk is set aside for each stream; what is beyond it has come under a loan, which covers the whole message.
    auto larger =
        std::make_shared<payload_buffer>(end <= takes_.credit ? std::min(slot.size, takes_.credit) : slot.size);
    if (slot.buffer) std::memcpy(larger->data(), slot.buffer->data(), slot.received);
    slot.buffer = std::move(larger);
  }
  return {{}, {slot.buffer->data() + slot.received, header.length}, slot.buffer};
}

/// What came behind the first frame, by the time from then: before that the sender had to begin.
void inbox::measure(const partial& message, time_point now) {
  const auto bytes = message.received - message.first;
  if (bytes < measured_bytes) return;
  // What is faster than that is never waited for.
  constexpr std::chrono::duration<float> least = std::chrono::milliseconds{1};
  const auto rate =
      static_cast<float>(bytes) / std::max<std::chrono::duration<float>>(now - message.began_at, least).count();
  bytes_per_s_ = bytes_per_s_ == 0 ? rate : bytes_per_s_ + (rate - bytes_per_s_) / 4;
}

std::optional<incoming> inbox::data_filled(const frame_header& header, time_point now) {
  auto& slot = streams_.at(header.stream)[static_cast<size_t>(header.cls)];
  if (slot.received == 0) {
    slot.first = header.length;
    slot.began_at = now;
  }
  slot.received += header.length;
  if (slot.received < slot.size) return std::nullopt;
  measure(slot, now);
  slot.active = false;
  slot.message.payload = std::exchange(slot.buffer, nullptr);
  flow_.complete(header.stream, slot.received);
  return std::move(slot.message);
}

bool inbox::is_amid(uint64_t stream) const {
  auto found = streams_.find(stream);
  return found != streams_.end() &&
         std::any_of(found->second.begin(), found->second.end(), [](const partial& slot) { return slot.active; });
}

}  // namespace corolla::actors::wire
