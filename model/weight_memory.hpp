// Memory that weights stay in.
#pragma once

#include <cstddef>
#include <memory>

namespace corolla::model {

/// From here on a tensor has a mapping of its own.
inline constexpr size_t large_weight = 32u << 20;

/// A mapping of `size` > 0 bytes, zeros.  Throws std::bad_alloc.
std::shared_ptr<std::byte> map_weights(size_t size);

/// Gives out parts of large anonymous mappings that the kernel may back with huge pages (where
/// /sys/kernel/mm/transparent_hugepage/enabled is `madvise` or `always`): weights are read from end to end for every
/// token, and with 4 KiB pages looking up their addresses takes a part of that time.  Not for what comes and goes: a
/// mapping is given back when the last of its parts is.
/// A tensor that has a mapping of its own is read straight into one (`map_weights`, by stored_tensor): nothing large is
/// held twice while it is loaded.
class weight_memory {
 public:
  /// `size` > 0 bytes, zeros, at a multiple of 64.  Throws std::bad_alloc.
  std::shared_ptr<std::byte> take(size_t size);

 private:
  std::shared_ptr<std::byte> mapping_;
  size_t used_ = 0;
  size_t size_ = 0;
};

}  // namespace corolla::model
