#include "actors/wire/frame_reader.hpp"

#include <algorithm>

namespace corolla::actors::wire {

std::span<std::byte> frame_reader::room() {
  switch (state_) {
    case state::header:
      return std::span{header_bytes_}.subspan(at_);
    case state::gathered:
      return std::span{body_}.first(header_.length).subspan(at_);
    case state::direct:
      return place_.room.subspan(at_);
    case state::skipped:
      return std::span{body_}.first(std::min(body_.size(), header_.length - at_));
    case state::discarding:
      return body_;
  }
  return {};
}

void frame_reader::filled(size_t size) {
  if (state_ == state::discarding) return;
  at_ += size;
  if (state_ == state::header) {
    if (at_ == header_bytes_.size()) header_read();
  } else if (at_ == header_.length) {
    body_read();
  }
}

void frame_reader::discard() {
  state_ = state::discarding;
  place_ = {};
}

void frame_reader::header_read() {
  ++frames_;
  auto checked = decode_header(header_bytes_);
  header_ = checked.header;
  at_ = 0;
  place_ = to_.place(checked);
  if (state_ == state::discarding) return;
  switch (place_.what) {
    case placement::kind::gather:
      state_ = state::gathered;
      break;
    case placement::kind::direct:
      state_ = state::direct;
      break;
    case placement::kind::skip:
      state_ = state::skipped;
      break;
    case placement::kind::discard:
      return discard();
  }
  if (header_.length == 0) body_read();
}

void frame_reader::body_read() {
  auto was = state_;
  state_ = state::header;
  at_ = 0;
  if (was == state::gathered)
    to_.frame_read(header_, std::span{body_}.first(header_.length));
  else if (was == state::direct)
    to_.frame_read(header_, {});
  if (state_ != state::discarding) place_ = {};
}

}  // namespace corolla::actors::wire
