// Where tensors compute, and how they cross between the host and there.
#pragma once

#include <string>

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include "model/tensor.hpp"

namespace corolla::model {

/// "cpu" or "cuda:N".  libtorch's CUDA half is loaded when a GPU is first named, so that one program serves both.
/// Throws std::invalid_argument for another name and std::runtime_error where there is no such device.
c10::Device open_device(const std::string& name);

at::ScalarType scalar_type(dtype t);

/// On the CPU a tensor of the same type shares the host tensor's bytes: it must not be written to.
at::Tensor to_device(const tensor& host, at::ScalarType type, c10::Device device);

/// A dense copy; on the CPU a dense tensor of the same type is shared instead: it must not be written to any more.
tensor to_host(const at::Tensor& t, dtype type);

}  // namespace corolla::model
