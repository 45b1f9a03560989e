#include "tests/support/core_ends.hpp"

#include <algorithm>
#include <utility>

#include "actors/wire/little_endian.hpp"
#include "tests/support/plain_channel.hpp"

namespace corolla::tests {

using namespace actors::wire;

void core_record::established(const crypto::peer_id& who, const hello& what) {
  peer = who;
  said = what;
}

void core_record::dropped(outbox::ticket name, const refusal& why) {
  dropped_names.emplace_back(name, why);
}

crypto::peer_id id_of(uint8_t byte) {
  crypto::peer_id id;
  id.bytes.fill(byte);
  return id;
}

namespace {

link_rules rules_of(core_options& options) {
  link_rules rules;
  rules.dialler = options.dialler;
  rules.self = options.self;
  rules.judge = options.judge ? options.judge : [](auto&, auto&) { return std::optional<refusal>{}; };
  rules.outbound_ceiling = options.outbound_ceiling;
  rules.echo = options.echo;
  return rules;
}

}  // namespace

core_options dialling(uint8_t id) {
  core_options options;
  options.id = id;
  return options;
}

core_options dialled(uint8_t id) {
  core_options options;
  options.dialler = false;
  options.id = id;
  return options;
}

struct core_end::channel {
  explicit channel(const core_options& options)
      : secure{plain_channel(
            id_of(options.id), options.expected ? std::optional{id_of(*options.expected)} : std::nullopt, bytes)} {}

  std::vector<char> bytes;
  std::unique_ptr<secure_channel> secure;
};

core_end::core_end(core_options options, time_point now) : core_end{options, channel{options}, now} {}

core_end::core_end(core_options& options, channel through, time_point now)
    : core{rules_of(options), std::move(through.secure), std::move(through.bytes), record, now} {}

std::vector<char> core_end::pull_all() {
  std::vector<char> out;
  while (core.pull(out)) {
  }
  return out;
}

void core_end::receive(std::span<const char> bytes, time_point now) {
  core.receive(std::as_bytes(bytes), now);
}
void core_end::receive(std::span<const std::byte> bytes, time_point now) {
  core.receive(bytes, now);
}

std::vector<std::byte> frame(frame_type type, priority cls, uint64_t stream, std::span<const std::byte> body) {
  auto header = encode({type, cls, static_cast<uint32_t>(body.size()), stream});
  std::vector<std::byte> bytes{header.begin(), header.end()};
  bytes.insert(bytes.end(), body.begin(), body.end());
  return bytes;
}

std::vector<std::byte> announcing(uint32_t size) {
  std::vector<std::byte> body;
  append(body, size);
  return body;
}

core_and_test::core_and_test(core_options options) : end{std::move(options)} {}

void core_and_test::shake_hands() {
  auto id = id_of(9);
  send(std::as_bytes(std::span{id.bytes}));
  send(frame_type::hello, 0, priority::control, encode(hello{}));
}

void core_and_test::send(frame_type type, uint64_t stream, priority cls, std::span<const std::byte> body) {
  send(frame(type, cls, stream, body));
}

std::vector<frame_header> core_and_test::sent_frames() {
  collect();
  return std::exchange(frames_, {});
}

std::string core_and_test::goodbye() {
  collect();
  return goodbye_;
}

void core_and_test::collect() {
  auto bytes = end.pull_all();
  auto view = std::as_bytes(std::span{bytes});
  unread_.insert(unread_.end(), view.begin(), view.end());
  size_t at = 0;
  if (!id_seen_ && unread_.size() >= crypto::peer_id{}.bytes.size()) {
    id_seen_ = true;
    at = crypto::peer_id{}.bytes.size();
  }
  while (id_seen_ && unread_.size() - at >= limits::frame_header_bytes) {
    auto header = decode_header(std::span{unread_}.subspan(at).first<limits::frame_header_bytes>()).header;
    at += limits::frame_header_bytes;
    if (header.type == frame_type::goodbye)
      goodbye_.assign(reinterpret_cast<const char*>(&unread_[at]) + 1, header.length - 1);
    frames_.push_back(header);
    at += header.length;
  }
  unread_.erase(unread_.begin(), unread_.begin() + static_cast<std::ptrdiff_t>(at));
}

core_pair::core_pair(core_options a, core_options b) : near{std::move(a)}, far{std::move(b)} {}

void core_pair::settle() {
  for (;;) {
    auto there = near.pull_all();
    if (!there.empty()) far.receive(there, now);
    auto back = far.pull_all();
    if (!back.empty()) near.receive(back, now);
    if (there.empty() && back.empty()) return;
  }
}

outgoing message_on(uint64_t stream, frame_type type, priority cls, size_t payload) {
  outgoing message;
  message.type = type;
  message.cls = cls;
  message.stream = stream;
  if (payload > 0) message.payload = pattern(payload);
  return message;
}

model::tensor pattern(size_t size, uint32_t seed) {
  std::vector<std::byte> bytes(size);
  for (size_t i = 0; i < size; ++i)
    bytes[i] = static_cast<std::byte>((static_cast<uint32_t>(i) * 2654435761u + seed) >> 11);
  return {model::dtype::uint8, {static_cast<int64_t>(size)}, std::move(bytes)};
}

}  // namespace corolla::tests
