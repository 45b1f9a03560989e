// A link's whole behaviour without actors, sockets or clock: bytes and calls go in, bytes and events come out.  The
// broker in link.cpp drives it in a node, virtual time drives it in tests, and a fuzzer behind a channel that does not
// encrypt.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "actors/wire/frame_reader.hpp"
#include "actors/wire/hello.hpp"
#include "actors/wire/inbox.hpp"
#include "actors/wire/liveness.hpp"
#include "actors/wire/outbox.hpp"
#include "actors/wire/secure_channel.hpp"
#include "actors/wire/stream_table.hpp"
#include "actors/wire/traffic.hpp"

namespace corolla::actors::wire {

/// Hears what happens on a link; called while the link works: it must not call back into it.
class link_events {
 public:
  virtual ~link_events() = default;
  /// The peer's hello was accepted.
  virtual void established(const crypto::peer_id& peer, const hello& said) = 0;
  virtual void received(incoming message) = 0;
  /// The peer ended a stream: nothing more comes on it, and what was queued on it has been dropped.
  virtual void ended(uint64_t stream) = 0;
  /// The last byte of a message went out under credit.
  virtual void sent(outbox::ticket name) = 0;
  /// A message was dropped.
  virtual void dropped(outbox::ticket name, const refusal& why) = 0;
  /// `asked`: by `ping`, not by the link itself.
  virtual void measured(std::chrono::microseconds round_trip, bool asked) = 0;
};

struct link_rules {
  bool dialler = false;
  hello self;
  /// Judges a peer that TLS has proved, before anything behind its hello is read.
  std::function<std::optional<refusal>(const crypto::peer_id&, const hello&)> judge;
  std::chrono::nanoseconds silence = limits::default_silence;
  std::chrono::nanoseconds unproved_time = limits::unproved_time;
  size_t outbound_ceiling = limits::outbound_ceiling_bytes;
  /// Sends bench_echo back.
  bool echo = false;
};

class link_core : private frame_reader::listener {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  /// `first_bytes`: what the channel wants to send before it has heard anything.
  link_core(
      link_rules rules, std::unique_ptr<secure_channel> channel, std::vector<char> first_bytes, link_events& events,
      time_point now);
  link_core(const link_core&) = delete;
  link_core& operator=(const link_core&) = delete;

  // -- the network --

  void receive(std::span<const std::byte> bytes, time_point now);
  /// The connection ended.
  void disconnect();
  /// The peer's bytes wait to be read: it lives.
  void heard(time_point now) { liveness_.heard(now); }
  /// Appends what is to be sent next, some `piece_bytes` at the most; false: nothing for now.  Wants to be called when
  /// the socket has taken everything from the last time.
  bool pull(std::vector<char>& out);
  /// Another `pull` would give something.
  bool has_more() const;
  /// What `pull` gave ends within an urgent message (class step).
  bool is_amid_urgent() const { return rest_.cls == priority::step && !rest_.payload.empty(); }

  // -- the user --

  /// Queues a message; `name` comes back in `sent` or `dropped`, at once for a message without data.
  std::optional<refusal> send(outgoing message, outbox::ticket name);
  /// Bytes of a stream's messages were taken.
  void take(uint64_t stream, uint32_t bytes);
  std::optional<refusal> ping(time_point now);
  /// Says goodbye behind what can be sent without waiting, and ends.
  void close(refusal why, time_point now);

  // -- time --

  void tick(time_point now);
  /// When `tick` has something to do.
  time_point deadline() const;

  // -- state --

  bool is_established() const { return phase_ == phase::established; }
  /// Why the link is over: nothing more goes in or out but what `pull` still gives.
  const std::optional<refusal>& over() const { return over_; }
  traffic counters() const;
  /// Of large messages that came: a moving average; 0: none came yet.
  float inbound_bytes_per_s() const { return inbox_.bytes_per_s(); }

 private:
  enum class phase { handshake, greeting, established, ending, over };

  struct echo {
    outbox::ticket name = 0;
    uint64_t stream = 0;
    uint32_t bytes = 0;
  };
  struct ping_under_way {
    uint64_t token = 0;
    time_point at;
    bool asked = false;
  };

  // frame_reader::listener
  placement place(const checked_header& checked) override;
  void frame_read(const frame_header& header, std::span<const std::byte> body) override;

  std::optional<refusal> check(const outgoing& message, const frame_header& header) const;
  placement place_data(const frame_header& header, const stream_state* on);
  void send_ping(bool asked);
  void greet();
  void read_hello(std::span<const std::byte> body);
  void read_goodbye(std::span<const std::byte> body);
  void read_pong(std::span<const std::byte> body);
  void read_end(uint64_t stream);
  void read_message(const frame_header& header, std::span<const std::byte> body);
  void deliver(incoming message);
  void send_back(incoming message);
  void send_grants();
  void forget_ended(uint64_t stream);
  void confirm_end(uint64_t stream);
  void end_here(uint64_t stream, stream_state& state);
  void report_dropped(const std::vector<outbox::ticket>& names, const refusal& why);
  bool add_record(std::vector<char>& out);
  bool next_piece();
  void piece_sent(const outbox::piece& piece);
  void violate(std::string_view what);
  void begin_ending(refusal why, bool at_once);
  void finish(refusal why);

  link_rules rules_;
  std::unique_ptr<secure_channel> channel_;
  link_events& events_;
  frame_reader reader_;
  stream_table streams_;
  inbox inbox_;
  outbox outbox_;
  liveness liveness_;
  frame_budget budget_;

  phase phase_ = phase::handshake;
  time_point now_;
  time_point limit_;  // of the phase before establishment, or of the ending
  intake peer_takes_;
  std::deque<ping_under_way> pings_;
  uint64_t next_token_ = 1;
  std::deque<echo> echoes_;
  bool goodbye_queued_ = false;
  refusal why_;
  std::optional<refusal> over_;

  std::vector<char> pending_;     // what TLS itself has to say
  std::vector<std::byte> plain_;  // frames on their way into TLS
  outbox::piece rest_;            // of the frame that is being written: what is not in TLS yet
  size_t unproved_bytes_ = 0;
  uint64_t bytes_sent_ = 0, bytes_received_ = 0;
};

}  // namespace corolla::actors::wire
