// Bulk over plain blocking OpenSSL: what the bulk of a link is compared with.
#pragma once

#include <cstdint>

namespace corolla::runtime {

/// Bytes a second from this process to a forked one over loopback TCP and TLS 1.3, each writing and reading 256 KiB at a
/// time.  To be called before this process has threads.  Throws std::runtime_error.
class plain_tls_sender {
 public:
  plain_tls_sender();
  ~plain_tls_sender();
  plain_tls_sender(const plain_tls_sender&) = delete;
  plain_tls_sender& operator=(const plain_tls_sender&) = delete;

  /// Until the far end has read all of it.
  double bytes_per_second(uint64_t bytes);

 private:
  struct connection;
  connection* connection_;
  int child_;
};

}  // namespace corolla::runtime
