// One connection through a fault proxy: two sockets, and a line each way between them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <poll.h>

#include "runtime/fault_line.hpp"
#include "runtime/fault_proxy.hpp"
#include "runtime/tcp.hpp"

namespace corolla::runtime {

/// Belongs to one thread.  Where it is destroyed before `advance` said that it is over, both ends see a reset.
class fault_connection {
 public:
  using time_point = fault_line::time_point;

  /// `number` tells it apart from others of the same seed; `target` may still be connecting.
  fault_connection(
      const fault_settings& settings, uint64_t number, tcp_socket client, tcp_socket target, time_point now);

  /// Reads, passes on and ends what can be at `now`, without waiting.  False: the connection is over.
  bool advance(time_point now);
  /// What to poll for before the next `advance`.
  std::array<pollfd, 2> interest() const;
  /// When there is something to do that no socket tells.
  time_point next_event(time_point now) const;

  void hold(direction which) { at(which).line.hold(); }
  void release();
  uint64_t passed(direction which) const { return flows_[static_cast<size_t>(which)].line.passed(); }

 private:
  struct one_way {
    fault_line line;
    bool read_ended = false;   ///< nothing follows from where it comes
    bool reset = false;        ///< and that by an error, which is passed on as one
    bool write_ended = false;  ///< the end was passed on
    bool blocked = false;      ///< where it goes takes nothing at the moment
    bool discards = false;     ///< where it goes has gone, which who sends must not learn before its time
  };

  one_way& at(direction which) { return flows_[static_cast<size_t>(which)]; }
  static line_settings line_of(const fault_settings& settings, uint64_t number, direction which);
  void read(direction which);
  /// False: the connection is over.
  bool write(direction which, time_point now);
  /// The socket from which `which` is fed has failed.
  void lose(direction which, time_point now);
  const tcp_socket& source(direction which) const { return which == direction::to ? client_ : target_; }
  const tcp_socket& sink(direction which) const { return which == direction::to ? target_ : client_; }
  uint64_t passed_in_all() const { return flows_[0].line.passed() + flows_[1].line.passed(); }

  const fault_settings& settings_;
  tcp_socket client_, target_;
  time_point cut_at_ = fault_line::never, silent_at_ = fault_line::never;
  bool connecting_ = true;
  std::array<one_way, 2> flows_;
};

}  // namespace corolla::runtime
