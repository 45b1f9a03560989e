// The product of rows and a weight matrix: where decoding spends its time.
//
// On x86 CPUs with AVX2 it is computed by a kernel of our own.  A row's result does not depend on how many rows are
// computed with it, so that a token alone, in a batch and inside a prompt has the same bits here; and with few rows it
// comes nearer to the memory's speed than the library does.
#pragma once

#include <optional>

#include <ATen/core/Tensor.h>

namespace corolla::model {

/// x: [R, in], weight: [out, in], bias: [out] -> [R, out].  Sums are float32 whatever the type.
at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias = {});

}  // namespace corolla::model
