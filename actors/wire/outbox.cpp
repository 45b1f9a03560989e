#include "actors/wire/outbox.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "actors/wire/little_endian.hpp"

namespace corolla::actors::wire {

void outbox::open(uint64_t stream) {
  streams_[stream].credit = peer_.credit;
}

std::vector<outbox::ticket> outbox::close(uint64_t stream) {
  std::vector<ticket> dropped;
  auto drop = [&](item& queued) {
    queued_bytes_ -= size_of(queued);
    if (queued.own) owed_bytes_ -= size_of(queued);
    if (queued.name != 0) dropped.push_back(queued.name);
  };
  auto found = streams_.find(stream);
  if (found == streams_.end()) return dropped;
  for (auto& queue : found->second.queue) std::for_each(queue.begin(), queue.end(), drop);
  streams_.erase(found);
  for (auto& turns : turns_) std::erase(turns, stream);
  std::erase_if(control_, [&](item& queued) {
    if (queued.message.stream != stream) return false;
    drop(queued);
    return true;
  });
  return dropped;
}

std::vector<outbox::ticket> outbox::drop_payloads() {
  std::vector<ticket> dropped;
  for (auto& entry : streams_) {
    auto& from = entry.second;
    for (auto& queue : from.queue) {
      for (auto& queued : queue) {
        queued_bytes_ -= size_of(queued);
        if (queued.name != 0) dropped.push_back(queued.name);
      }
      from.queued -= queue.size();
      queue.clear();
    }
    from.has_turn = {};
  }
  for (auto& turns : turns_) turns.clear();
  return dropped;
}

void outbox::push(outgoing message, ticket name) {
  auto stream = message.stream;
  auto end_behind = message.end_stream;
  auto cls = static_cast<size_t>(message.cls);
  item queued{std::move(message), name};
  queued_bytes_ += size_of(queued);
  auto to = streams_.find(stream);
  if (to != streams_.end()) ++to->second.queued;
  if (cls == 0) {
    control_.push_back(std::move(queued));
  } else {
    to->second.queue[cls].push_back(std::move(queued));
    give_turn(stream, to->second);
  }
  if (end_behind) end(stream);
}

void outbox::push_own(frame_type type, uint64_t stream, std::vector<std::byte> body) {
  item queued{{type, priority::control, stream, std::move(body), {}, false}, 0, /*own=*/true};
  queued_bytes_ += size_of(queued);
  owed_bytes_ += size_of(queued);
  control_.push_back(std::move(queued));
}

void outbox::end(uint64_t stream) {
  auto& of = streams_.at(stream);
  of.ending = true;
  if (of.queued == 0) push_own(frame_type::end_stream, stream, {});
}

bool outbox::add_credit(uint64_t stream, uint32_t bytes) {
  auto found = streams_.find(stream);
  if (found == streams_.end()) return true;
  auto& of = found->second;
  if (of.credit + bytes > std::numeric_limits<uint32_t>::max()) return false;
  of.credit += bytes;
  give_turn(stream, of);
  return true;
}

std::optional<outbox::piece> outbox::next(std::vector<std::byte>& out) {
  if (!control_.empty()) return next_control(out);
  for (size_t cls = 1; cls < num_priorities; ++cls)
    if (!turns_[cls].empty()) return next_data(cls, out);
  return std::nullopt;
}

bool outbox::idle() const {
  return control_.empty() && std::all_of(turns_.begin(), turns_.end(), [](auto& turns) { return turns.empty(); });
}

size_t outbox::size_of(const item& queued) {
  return limits::frame_header_bytes + queued.message.body.size() + queued.message.payload.bytes().size() -
         queued.offset;
}

bool outbox::can_go(const stream_state& from, size_t cls) {
  auto& queue = from.queue[cls];
  return !queue.empty() && (!queue.front().begun || from.credit > 0);
}

void outbox::give_turn(uint64_t stream, stream_state& to) {
  for (size_t cls = 1; cls < num_priorities; ++cls) {
    if (to.has_turn[cls] || !can_go(to, cls)) continue;
    to.has_turn[cls] = true;
    turns_[cls].push_back(stream);
  }
}

outbox::piece outbox::next_control(std::vector<std::byte>& out) {
  auto first = std::move(control_.front());
  control_.pop_front();
  queued_bytes_ -= size_of(first);
  if (first.own) owed_bytes_ -= size_of(first);
  piece result;
  result.sent = first.name;
  auto stream = first.message.stream;
  begin(first, out);
  if (!first.own)
    finish(stream);
  else if (first.message.type == frame_type::end_stream)
    result.ended = stream;
  return result;
}

outbox::piece outbox::next_data(size_t cls, std::vector<std::byte>& out) {
  auto stream = turns_[cls].front();
  turns_[cls].pop_front();
  auto& from = streams_.at(stream);
  from.has_turn[cls] = false;
  auto& queue = from.queue[cls];
  auto& first = queue.front();
  auto before = size_of(first);
  auto size = first.message.payload.bytes().size();
  piece result;
  if (!first.begun) begin(first, out);
  if (first.offset < size && from.credit > 0) add_chunk(stream, from, first, result, out);
  if (first.offset == size) {
    queued_bytes_ -= before;
    result.sent = first.name;
    queue.pop_front();
    give_turn(stream, from);
    finish(stream);
  } else {
    queued_bytes_ -= before - size_of(first);
    give_turn(stream, from);
  }
  return result;
}

void outbox::begin(item& first, std::vector<std::byte>& out) {
  auto& message = first.message;
  auto with_size = announces_data(message.type);
  auto length = message.body.size() + (with_size ? sizeof(uint32_t) : 0);
  append_frame({message.type, message.cls, static_cast<uint32_t>(length), message.stream}, out);
  if (with_size) append(out, static_cast<uint32_t>(message.payload.bytes().size()));
  out.insert(out.end(), message.body.begin(), message.body.end());
  first.begun = true;
}

void outbox::add_chunk(uint64_t stream, stream_state& from, item& first, piece& result, std::vector<std::byte>& out) {
  auto rest = first.message.payload.bytes().subspan(first.offset);
  auto size = std::min({rest.size(), size_t{from.credit}, size_t{peer_.chunk}, size_t{limits::piece_bytes}});
  append_frame({frame_type::data, first.message.cls, static_cast<uint32_t>(size), stream}, out);
  result.payload = rest.first(size);
  result.cls = first.message.cls;
  result.owner = first.message.payload.owner();
  first.offset += size;
  from.credit -= size;
}

void outbox::finish(uint64_t stream) {
  auto of = streams_.find(stream);
  if (of == streams_.end()) return;
  --of->second.queued;
  if (of->second.ending && of->second.queued == 0) push_own(frame_type::end_stream, stream, {});
}

void outbox::append_frame(const frame_header& header, std::vector<std::byte>& out) {
  auto bytes = encode(header);
  out.insert(out.end(), bytes.begin(), bytes.end());
  ++frames_;
}

}  // namespace corolla::actors::wire
