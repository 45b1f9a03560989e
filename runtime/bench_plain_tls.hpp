// Plain blocking OpenSSL: what a link is compared with.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace corolla::runtime {

/// A forked process at the other end of loopback TCP and TLS 1.3.  To be made before this process has threads.  Throws
/// std::runtime_error.
class plain_tls_peer {
 public:
  plain_tls_peer();
  ~plain_tls_peer();
  plain_tls_peer(const plain_tls_peer&) = delete;
  plain_tls_peer& operator=(const plain_tls_peer&) = delete;

  /// Bytes a second until the far end has read all of it, 256 KiB at a time.
  double bytes_per_second(uint64_t bytes);
  /// Seconds of so many echoes of so many bytes, one after the other.
  std::vector<double> round_trips(uint32_t size, uint32_t count);

 private:
  struct connection;
  std::unique_ptr<connection> connection_;
  int child_;
};

}  // namespace corolla::runtime
