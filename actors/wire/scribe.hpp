// A connection in CAF's event loop, in place of CAF's own: it reads into one buffer that all connections share (CAF
// fills one of its own with zeros for each, on each read), sends at once instead of waiting for the loop, and ends its
// socket with the broker that owns it, whatever is still unsent (CAF waits for a peer that may never read).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <caf/io/network/default_multiplexer.hpp>
#include <caf/io/scribe.hpp>

#include "actors/wire/socket.hpp"

namespace corolla::actors::wire {

class scribe final : public caf::io::scribe {
 public:
  scribe(caf::io::network::default_multiplexer& loop, descriptor socket);
  ~scribe() override;

  /// Begins to read.  The broker gets a new_data_msg, with nothing in it, when `received` holds something.
  void start();
  /// Most bytes of a read.
  void set_read_size(size_t size);
  /// What was read: only while the broker handles new_data_msg.
  std::span<const std::byte> received() const { return received_; }
  /// Bytes wait in the socket to be read.
  bool has_unread() const;

  /// Bytes of `wr_buf` are not in the socket yet.  The broker gets a data_transferred_msg once they are.
  bool busy() const { return sent_ < out_.size(); }
  /// Bytes of `wr_buf` that are not in the socket yet.
  size_t unsent() const { return out_.size() - sent_; }
  /// Like `flush` with an empty `wr_buf`, but says data_transferred_msg only when others had their turn.
  void yield();

  // -- what CAF asks of a scribe --

  void configure_read(caf::io::receive_policy::config) override;
  void ack_writes(bool) override {}
  std::vector<char>& wr_buf() override { return out_; }
  std::vector<char>& rd_buf() override { return unused_; }
  void flush() override;
  void graceful_shutdown() override;
  void add_to_loop() override;
  void remove_from_loop() override;
  std::string addr() const override;
  uint16_t port() const override;

 private:
  class handler final : public caf::io::network::event_handler {
   public:
    handler(caf::io::network::default_multiplexer& loop, int socket, scribe& owner);
    void handle_event(caf::io::network::operation op) override;
    void removed_from_loop(caf::io::network::operation op) override;
    void graceful_shutdown() override;

    void watch(caf::io::network::operation op);
    void unwatch(caf::io::network::operation op);

   private:
    caf::io::scribe_ptr& keeper(caf::io::network::operation op);

    scribe& owner_;
    // The loop holds a plain pointer: these keep the scribe for as long as it does.
    caf::io::scribe_ptr reading_, writing_;
  };

  void read_some();
  void write_some();
  /// False: the socket takes nothing more for now, or ever.
  bool send_some();

  handler handler_;
  size_t read_size_;
  std::span<const std::byte> received_;
  std::vector<char> out_;
  size_t sent_ = 0;
  std::vector<char> unused_;
};

}  // namespace corolla::actors::wire
