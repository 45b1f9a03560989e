// Cuts what comes out of the secure channel into frames.  The channel decrypts straight to where each byte belongs: the
// reader says where that is, and asks nobody for memory before the header was judged.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "actors/wire/frame.hpp"
#include "crypto/tls.hpp"

namespace corolla::actors::wire {

/// What becomes of the body behind a header.
struct placement {
  enum class kind {
    gather,   ///< is collected and handed over
    direct,   ///< goes to `room`, which is exactly as long
    skip,     ///< is read over
    discard,  ///< is read over, and so is all that follows
  };
  kind what = kind::gather;
  std::span<std::byte> room;
  std::shared_ptr<const void> owner;  ///< keeps `room` alive
};

class frame_reader final : public crypto::plaintext_sink {
 public:
  class listener {
   public:
    virtual ~listener() = default;
    virtual placement place(const checked_header& header) = 0;
    /// The body is complete: in `body` where it was gathered, in its room where it was direct.
    virtual void frame_read(const frame_header& header, std::span<const std::byte> body) = 0;
  };

  explicit frame_reader(listener& to) : to_{to} {}

  std::span<std::byte> room() override;
  void filled(size_t size) override;
  /// Whatever comes from now on is read over.
  void discard();
  uint64_t frames() const { return frames_; }

 private:
  enum class state { header, gathered, direct, skipped, discarding };

  void header_read();
  void body_read();

  listener& to_;
  state state_ = state::header;
  std::array<std::byte, limits::frame_header_bytes> header_bytes_;
  frame_header header_;
  // Large enough for every body that is gathered; what is read over lands here too.
  std::array<std::byte, sizeof(uint32_t) + limits::body_bytes> body_;
  placement place_;
  size_t at_ = 0;  // bytes of the header or body that have come
  uint64_t frames_ = 0;
};

}  // namespace corolla::actors::wire
