#include "actors/wire/stream_table.hpp"

namespace corolla::actors::wire {

stream_state* stream_table::find(uint64_t stream) {
  auto found = streams_.find(stream);
  return found == streams_.end() ? nullptr : &found->second;
}

void stream_table::erase(uint64_t stream) {
  auto found = streams_.find(stream);
  if (found == streams_.end()) return;
  --(found->second.ours ? open_ours_ : open_theirs_);
  streams_.erase(found);
}

std::string_view stream_table::open_ours(uint64_t stream, const frame_header& first) {
  if (!is_ours(stream)) return "a stream of the other side's parity";
  if (stream <= last_ours_) return "a stream that has ended";
  if (!begins_stream(first.type) || first.cls != priority::control)
    return "a stream that began with a message which cannot begin one";
  last_ours_ = stream;
  ++open_ours_;
  streams_[stream].ours = true;
  return {};
}

std::string_view stream_table::open_theirs(uint64_t stream, const frame_header& first) {
  if (is_ours(stream))
    return stream > last_ours_ ? "a frame on a stream of the wrong parity" : "a frame on a stream that has ended";
  if (stream <= last_theirs_) return "a frame on a stream that has ended";
  if (first.type == frame_type::data) return "data without a message";
  if (!begins_stream(first.type) || first.cls != priority::control) return "a frame on a stream that was never opened";
  if (open_theirs_ >= limit_theirs_) return "more open streams than were allowed";
  last_theirs_ = stream;
  ++open_theirs_;
  streams_[stream];
  return {};
}

}  // namespace corolla::actors::wire
