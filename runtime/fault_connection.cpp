#include "runtime/fault_connection.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <sys/socket.h>

namespace corolla::runtime {
namespace {

direction opposite(direction which) {
  return which == direction::to ? direction::from : direction::to;
}

/// never where the clock does not reach so far.
fault_line::time_point behind(fault_line::time_point now, std::chrono::nanoseconds time) {
  return time < fault_line::never - now ? now + time : fault_line::never;
}

}  // namespace

fault_connection::fault_connection(
    const fault_settings& settings, uint64_t number, tcp_socket client, tcp_socket target, time_point now)
    : settings_(settings),
      client_(std::move(client)),
      target_(std::move(target)),
      flows_{
          {{fault_line{line_of(settings, number, direction::to)}},
           {fault_line{line_of(settings, number, direction::from)}}}} {
  if (settings.cut_after_time) cut_at_ = behind(now, *settings.cut_after_time);
  if (settings.silent_after_time) silent_at_ = behind(now, *settings.silent_after_time);
  for (const auto* socket : {&client_, &target_}) {
    tcp_without_delay(*socket);
    tcp_reset_on_close(*socket, true);
  }
}

line_settings fault_connection::line_of(const fault_settings& settings, uint64_t number, direction which) {
  line_settings line;
  line.delay = settings.delay;
  line.jitter = settings.jitter;
  line.bytes_per_s = settings.bytes_per_s;
  line.flip_after = settings.flip_after;
  if (which == settings.silent) line.hold_after = settings.silent_after_bytes;
  line.seed = settings.seed * 0x9e3779b97f4a7c15 + number * 2 + static_cast<uint64_t>(which);
  return line;
}

bool fault_connection::advance(time_point now) {
  if (now >= cut_at_) return false;
  if (now >= silent_at_) {
    silent_at_ = fault_line::never;
    hold(settings_.silent);
  }
  if (connecting_) {
    if (tcp_error(target_) != 0) return false;
    connecting_ = !tcp_is_connected(target_);
    if (connecting_) return true;
  }
  for (auto which : {direction::to, direction::from}) {
    read(which);
    if (!write(which, now)) return false;
  }
  if (flows_[0].discards && flows_[1].discards) return false;  // nobody is left
  if (!flows_[0].write_ended || !flows_[1].write_ended) return true;
  for (const auto* socket : {&client_, &target_}) tcp_reset_on_close(*socket, false);
  return false;
}

void fault_connection::read(direction which) {
  auto& flow = at(which);
  std::array<char, 65'536> buffer;
  const auto room = flow.discards ? buffer.size() : std::min(buffer.size(), flow.line.room());
  if (flow.read_ended || room == 0) return;
  const auto count = ::recv(source(which).get(), buffer.data(), room, MSG_DONTWAIT);
  // Later than they were sent for certain, so that no delay is too short.
  const auto now = std::chrono::steady_clock::now();
  if (count > 0 && !flow.discards) flow.line.put(std::span{buffer}.first(static_cast<size_t>(count)), now);
  if (count == 0) {
    flow.read_ended = true;
    flow.write_ended = flow.discards;
    flow.line.end(now);
  }
  if (count < 0 && errno != EAGAIN && errno != EINTR) lose(which, now);
}

void fault_connection::lose(direction which, time_point now) {
  auto& flow = at(which);
  flow.read_ended = flow.reset = true;
  flow.line.end(now);
  auto& back = at(opposite(which));
  back.discards = true;
  back.write_ended = back.read_ended;
}

bool fault_connection::write(direction which, time_point now) {
  auto& flow = at(which);
  flow.blocked = false;
  const auto most = settings_.cut_after_bytes;
  while (!flow.discards && !flow.blocked) {
    auto bytes = flow.line.arrived(now);
    if (most) bytes = bytes.first(std::min<uint64_t>(bytes.size(), *most - std::min(*most, passed_in_all())));
    if (bytes.empty()) break;
    const auto count = ::send(sink(which).get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count >= 0)
      flow.line.taken(static_cast<size_t>(count));
    else if (errno == EAGAIN)
      flow.blocked = true;
    else if (errno != EINTR)
      lose(opposite(which), now);
  }
  if (most && passed_in_all() >= *most) return false;
  if (flow.discards || flow.write_ended || !flow.line.ended(now)) return true;
  if (flow.reset) return false;
  ::shutdown(sink(which).get(), SHUT_WR);
  flow.write_ended = true;
  return true;
}

std::array<pollfd, 2> fault_connection::interest() const {
  // A socket of which nothing is wanted is left out, or its end would be told for ever.
  const auto entry = [](const tcp_socket& socket, int events) {
    return pollfd{events == 0 ? -1 : socket.get(), static_cast<short>(events), 0};
  };
  if (connecting_) return {entry(client_, 0), entry(target_, POLLOUT)};
  const auto reads = [](const one_way& f) { return !f.read_ended && (f.discards || f.line.room() > 0) ? POLLIN : 0; };
  const auto& [to, from] = flows_;
  return {
      entry(client_, reads(to) | (from.blocked ? POLLOUT : 0)),
      entry(target_, reads(from) | (to.blocked ? POLLOUT : 0))};
}

fault_connection::time_point fault_connection::next_event(time_point now) const {
  auto next = std::min(cut_at_, silent_at_);
  if (connecting_) return next;
  for (const auto& flow : flows_)
    if (!flow.blocked && !flow.discards && !flow.write_ended) next = std::min(next, flow.line.next_arrival(now));
  return next;
}

void fault_connection::release() {
  silent_at_ = fault_line::never;
  for (auto& flow : flows_) flow.line.release();
}

}  // namespace corolla::runtime
