#include "runtime/fault_line.hpp"

#include <algorithm>

namespace corolla::runtime {
namespace {

using std::chrono::nanoseconds;

constexpr size_t margin_bytes = 1 << 20;
constexpr size_t capacity_ceiling = size_t{256} << 20;
constexpr uint64_t assumed_bytes_per_s = 125'000'000;
/// A limited line hands on what it carries in this time at once: fine enough to be smooth.
constexpr double piece_seconds = 0.005;
constexpr double least_piece_bytes = 1460, most_piece_bytes = 65'536;

double seconds(nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

nanoseconds of_seconds(double time) {
  return std::chrono::ceil<nanoseconds>(std::chrono::duration<double>(time));
}

/// splitmix64: a number that looks random for each `x`.
uint64_t scramble(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

}  // namespace

fault_line::fault_line(const line_settings& settings) : settings_(settings), hold_after_(settings.hold_after) {
  const auto rate = static_cast<double>(settings.bytes_per_s == 0 ? assumed_bytes_per_s : settings.bytes_per_s);
  const auto under_way = rate * seconds(settings.delay) * (1 + settings.jitter);
  capacity_ = margin_bytes + static_cast<size_t>(std::min(under_way, static_cast<double>(capacity_ceiling)));
  piece_bytes_ = static_cast<size_t>(std::clamp(rate * piece_seconds, least_piece_bytes, most_piece_bytes));
}

size_t fault_line::room() const {
  return capacity_ - std::min(capacity_, waiting_);
}

void fault_line::put(std::span<const char> bytes, time_point now) {
  while (!bytes.empty()) {
    const auto count = std::min(bytes.size(), piece_bytes_);
    piece next{arrival_of(count, now), {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count)}};
    flip(next.bytes);
    pieces_.push_back(std::move(next));
    entered_ += count;
    waiting_ += count;
    bytes = bytes.subspan(count);
  }
}

fault_line::time_point fault_line::arrival_of(size_t count, time_point now) {
  if (settings_.bytes_per_s > 0)
    line_free_ =
        std::max(line_free_, now) + of_seconds(static_cast<double>(count) / static_cast<double>(settings_.bytes_per_s));
  else
    line_free_ = now;
  // Drawn for the place in the stream, so that it does not depend on what happened in between.
  const auto drawn = static_cast<double>(scramble(settings_.seed ^ scramble(entered_)) >> 11) * 0x1p-53;  // [0, 1)
  const auto late = seconds(settings_.delay) * (1 + settings_.jitter * (2 * drawn - 1));
  last_arrival_ = std::max(last_arrival_, line_free_ + of_seconds(late));
  return last_arrival_;
}

void fault_line::flip(std::span<char> bytes) const {
  if (!settings_.flip_after || *settings_.flip_after < entered_ || *settings_.flip_after - entered_ >= bytes.size())
    return;
  auto& byte = bytes[*settings_.flip_after - entered_];
  byte = static_cast<char>(byte ^ (1 << scramble(settings_.seed) % 8));
}

void fault_line::end(time_point now) {
  if (!end_) end_ = arrival_of(0, now);
}

std::span<const char> fault_line::arrived(time_point now) const {
  if (held() || pieces_.empty() || pieces_.front().arrival > now) return {};
  auto bytes = std::span{pieces_.front().bytes}.subspan(front_taken_);
  if (hold_after_ && *hold_after_ - passed_ < bytes.size()) return bytes.first(*hold_after_ - passed_);
  return bytes;
}

void fault_line::taken(size_t count) {
  passed_ += count;
  waiting_ -= count;
  front_taken_ += count;
  if (front_taken_ < pieces_.front().bytes.size()) return;
  pieces_.pop_front();
  front_taken_ = 0;
}

bool fault_line::ended(time_point now) const {
  return end_ && pieces_.empty() && !held() && *end_ <= now;
}

fault_line::time_point fault_line::next_arrival(time_point now) const {
  if (held()) return never;
  const auto next = !pieces_.empty() ? pieces_.front().arrival : end_.value_or(never);
  return next > now ? next : now;
}

void fault_line::release() {
  held_ = false;
  hold_after_.reset();
}

}  // namespace corolla::runtime
