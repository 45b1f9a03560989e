// What goes through a link, as its users see it: whole messages, and what a link counts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "actors/errc.hpp"
#include "actors/wire/frame.hpp"
#include "model/aligned_bytes.hpp"
#include "model/tensor.hpp"

namespace corolla::actors::wire {

/// A message on its way out.  `payload` is sent in chunks under the stream's credit; its dtype and shape are in
/// `body`'s care.  Type `end_stream` alone, with nothing else, ends a stream without a message.
struct outgoing {
  frame_type type{};
  priority cls = priority::control;
  /// Begins with a message of class control that may begin one; the dialler's are odd, the other's even, each rising.
  uint64_t stream = 0;
  std::vector<std::byte> body;  ///< at most limits::body_bytes
  model::tensor payload;        ///< at most limits::payload_bytes
  /// Behind what is queued, the stream ends: nothing more is sent on it, and what still comes on it is dropped.
  bool end_stream = false;
};

/// Tensor data that came in: aligned for tensors, and uninitialised when made, so that nothing is written twice.
class payload_buffer {
 public:
  explicit payload_buffer(size_t size) : bytes_{model::allocate_bytes(size)}, size_{size} {}

  size_t size() const { return size_; }
  const std::byte* data() const { return bytes_.get(); }
  std::byte* data() { return bytes_.get(); }
  const std::byte* begin() const { return data(); }
  const std::byte* end() const { return data() + size_; }

 private:
  std::shared_ptr<std::byte> bytes_;
  size_t size_;
};

/// A message that came in full.
struct incoming {
  frame_type type{};
  priority cls = priority::control;
  uint64_t stream = 0;
  std::vector<std::byte> body;
  std::shared_ptr<const payload_buffer> payload;  ///< null where the message carries none
};

/// Why something was not done, or ended.
struct refusal {
  errc code = errc::protocol_violation;
  std::string text;
};

struct traffic {
  size_t queued_bytes = 0;  ///< towards the peer, in this process
  size_t held_bytes = 0;    ///< from the peer: not taken yet
  uint32_t open_streams = 0;
  uint64_t bytes_sent = 0;
  uint64_t bytes_received = 0;
  uint64_t frames_sent = 0;
  uint64_t frames_received = 0;
};

}  // namespace corolla::actors::wire
