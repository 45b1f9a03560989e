#include "actors/wire/hello.hpp"

#include <algorithm>
#include <functional>
#include <stdexcept>
#include <string_view>

#include "actors/printable.hpp"
#include "actors/wire/little_endian.hpp"

namespace corolla::actors::wire {
namespace {

constexpr std::string_view magic = "corolla!";
constexpr size_t software_bytes = 64;
constexpr size_t model_name_bytes = 128;
constexpr size_t certificate_bytes = 1024;
constexpr uint32_t min_chunk = 4096;

using bytes_view = std::span<const std::byte>;

bytes_view as_bytes(std::string_view text) {
  return std::as_bytes(std::span{text.data(), text.size()});
}
std::string as_text(bytes_view bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class entry_writer {
 public:
  explicit entry_writer(std::vector<std::byte>& out) : out_{out} {}

  void add(std::string_view key, bytes_view value, size_t limit) {
    if (value.size() > limit)
      throw std::length_error{
          "the hello's " + std::string{key} + " is longer than " + std::to_string(limit) + " bytes"};
    append(out_, static_cast<uint8_t>(key.size()));
    append_bytes(as_bytes(key));
    append(out_, static_cast<uint16_t>(value.size()));
    append_bytes(value);
    ++count_;
  }
  void add(std::string_view key, uint32_t number) {
    std::array<std::byte, sizeof number> bytes;
    store(bytes.data(), number);
    add(key, bytes, bytes.size());
  }
  void append_bytes(bytes_view bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }
  uint8_t count() const { return count_; }

 private:
  std::vector<std::byte>& out_;
  uint8_t count_ = 0;
};

/// Takes bytes from the front; everything is refused once something was missing.
class cursor {
 public:
  explicit cursor(bytes_view bytes) : rest_{bytes} {}

  bytes_view take(size_t count) {
    if (count > rest_.size()) ok_ = false;
    if (!ok_) return {};
    auto front = rest_.first(count);
    rest_ = rest_.subspan(count);
    return front;
  }
  template <class T>
  T take_number() {
    auto bytes = take(sizeof(T));
    return ok_ ? load<T>(bytes.data()) : T{};
  }
  bool ok() const { return ok_; }
  bool at_end() const { return ok_ && rest_.empty(); }

 private:
  bytes_view rest_;
  bool ok_ = true;
};

bool read_number(bytes_view value, uint32_t& number) {
  if (value.size() != sizeof number) return false;
  number = load<uint32_t>(value.data());
  return true;
}

bool read_text(bytes_view value, size_t limit, std::string& text) {
  if (value.size() > limit) return false;
  text = printable(as_text(value));
  return true;
}

bool read_entry(std::string_view key, bytes_view value, hello& peer) {
  auto number = [&](uint32_t& field) { return read_number(value, field); };
  if (key == "server") {
    if (value.size() != 1 || std::to_integer<uint8_t>(value[0]) > 1) return false;
    peer.is_server = value[0] == std::byte{1};
    return true;
  }
  if (key == "software") return read_text(value, software_bytes, peer.software);
  if (key == "model") return read_text(value, model_name_bytes, peer.model_name);
  if (key == "digest") {
    if (value.size() != peer.model.size()) return false;
    std::transform(value.begin(), value.end(), peer.model.begin(), [](auto b) { return std::to_integer<uint8_t>(b); });
    return true;
  }
  if (key == "certificate") {
    if (value.size() > certificate_bytes) return false;
    peer.certificate.resize(value.size());
    std::transform(
        value.begin(), value.end(), peer.certificate.begin(), [](auto b) { return std::to_integer<uint8_t>(b); });
    return true;
  }
  if (key == "streams") return number(peer.takes.streams);
  if (key == "credit") return number(peer.takes.credit);
  if (key == "chunk") return number(peer.takes.chunk) && peer.takes.chunk >= min_chunk;
  if (key == "payload") return number(peer.takes.payload);
  if (key == "instance") {
    if (value.size() != sizeof peer.instance) return false;
    peer.instance = load<uint64_t>(value.data());
    return true;
  }
  return true;
}

}  // namespace

std::vector<std::byte> encode(const hello& self) {
  std::vector<std::byte> out;
  out.reserve(512);
  entry_writer writer{out};
  writer.append_bytes(as_bytes(magic));
  append(out, self.min_version);
  append(out, self.max_version);
  auto count_at = out.size();
  append(out, uint8_t{0});
  auto is_server = self.is_server ? std::byte{1} : std::byte{0};
  writer.add("server", {&is_server, 1}, 1);
  writer.add("software", as_bytes(self.software), software_bytes);
  if (!self.model_name.empty()) {
    writer.add("model", as_bytes(self.model_name), model_name_bytes);
    writer.add("digest", std::as_bytes(std::span{self.model}), self.model.size());
  }
  if (!self.certificate.empty())
    writer.add("certificate", std::as_bytes(std::span{self.certificate}), certificate_bytes);
  writer.add("streams", self.takes.streams);
  writer.add("credit", self.takes.credit);
  writer.add("chunk", self.takes.chunk);
  writer.add("payload", self.takes.payload);
  if (self.instance != 0) {
    std::array<std::byte, sizeof self.instance> instance;
    store(instance.data(), self.instance);
    writer.add("instance", instance, instance.size());
  }
  store(&out[count_at], writer.count());
  return out;
}

std::optional<hello> decode_hello(std::span<const std::byte> bytes) {
  cursor in{bytes};
  if (bytes.size() > limits::body_bytes || as_text(in.take(magic.size())) != magic) return std::nullopt;
  hello peer;
  peer.min_version = in.take_number<uint16_t>();
  peer.max_version = in.take_number<uint16_t>();
  auto count = in.take_number<uint8_t>();
  if (!in.ok() || peer.min_version > peer.max_version || count > limits::hello_entries) return std::nullopt;
  std::vector<std::string> seen;
  for (size_t i = 0; i < count; ++i) {
    auto key = as_text(in.take(in.take_number<uint8_t>()));
    auto value = in.take(in.take_number<uint16_t>());
    if (!in.ok() || key.empty() || key.size() > limits::hello_key_bytes) return std::nullopt;
    if (std::find(seen.begin(), seen.end(), key) != seen.end() || !read_entry(key, value, peer)) return std::nullopt;
    seen.push_back(std::move(key));
  }
  if (!in.at_end()) return std::nullopt;
  return peer;
}

std::optional<uint16_t> common_version(const hello& a, const hello& b) {
  auto version = std::min(a.max_version, b.max_version);
  if (version < a.min_version || version < b.min_version) return std::nullopt;
  return version;
}

}  // namespace corolla::actors::wire
