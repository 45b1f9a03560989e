// Uninitialised memory for tensors, aligned for vector instructions.
#pragma once

#include <cstddef>
#include <memory>
#include <new>

namespace corolla::model {

inline constexpr size_t tensor_alignment = 64;

/// `size` bytes that nobody has written yet, at a multiple of `tensor_alignment`.  Throws std::bad_alloc.
inline std::shared_ptr<std::byte> allocate_bytes(size_t size) {
  constexpr auto alignment = std::align_val_t{tensor_alignment};
  auto* data = static_cast<std::byte*>(::operator new(size, alignment));
  return {data, [](std::byte* p) { ::operator delete (p, std::align_val_t{tensor_alignment}); }};
}

}  // namespace corolla::model
