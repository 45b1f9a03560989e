#include "model/device.hpp"

#include <dlfcn.h>

#include <charconv>
#include <memory>
#include <stdexcept>
#include <string_view>

#include <ATen/detail/CUDAHooksInterface.h>
#include <ATen/ops/from_blob.h>

namespace corolla::model {

namespace {

/// N of "cuda:N", or -1.
int cuda_index(std::string_view name) {
  constexpr std::string_view prefix = "cuda:";
  if (!name.starts_with(prefix)) return -1;
  name.remove_prefix(prefix.size());
  int index = -1;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), index);
  return error == std::errc() && end == name.data() + name.size() && index < 128 ? index : -1;
}

/// Registers libtorch's CUDA operators.  This must come before the first question about CUDA: libtorch remembers the
/// answer.
void load_cuda_library() {
  static void* const library = dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL);
  static const std::string reason = library ? "" : dlerror();
  if (!library) throw std::runtime_error("libtorch's CUDA library cannot be loaded: " + reason);
}

}  // namespace

c10::Device open_device(const std::string& name) {
  if (name == "cpu") return c10::Device(c10::DeviceType::CPU);
  const auto index = cuda_index(name);
  if (index < 0) throw std::invalid_argument("there is no device '" + name + "': give cpu or cuda:N");
  load_cuda_library();
  const int available = at::detail::getCUDAHooks().deviceCount();
  if (index >= available)
    throw std::runtime_error("there is no device " + name + ": CUDA devices found: " + std::to_string(available));
  at::detail::getCUDAHooks().init();
  return c10::Device(c10::DeviceType::CUDA, static_cast<c10::DeviceIndex>(index));
}

at::ScalarType scalar_type(dtype t) {
  switch (t) {
    case dtype::float32:
      return at::kFloat;
    case dtype::bfloat16:
      return at::kBFloat16;
    case dtype::float16:
      return at::kHalf;
    case dtype::int64:
      return at::kLong;
    case dtype::int32:
      return at::kInt;
    case dtype::uint8:
      return at::kByte;
  }
  throw std::invalid_argument("unknown element type");
}

at::Tensor to_device(const tensor& host, at::ScalarType type, c10::Device device) {
  // libtorch has no read-only tensor.
  auto* data = const_cast<std::byte*>(host.bytes().data());
  const auto shared = at::from_blob(
      data, host.dims(), [owner = host.owner()](void*) {}, at::TensorOptions(scalar_type(host.type())));
  return shared.to(device, type);
}

tensor to_host(const at::Tensor& t, dtype type) {
  auto dense = std::make_shared<const at::Tensor>(t.to(at::kCPU, scalar_type(type)).contiguous());
  const std::span<const std::byte> bytes{static_cast<const std::byte*>(dense->const_data_ptr()), dense->nbytes()};
  return {type, dense->sizes().vec(), bytes, dense};
}

}  // namespace corolla::model
