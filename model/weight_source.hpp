// A checkpoint's tensors on a device, in one type, each checked against the shape that the config asks for.
#pragma once

#include <string>
#include <vector>

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include "model/checkpoint.hpp"
#include "model/weight_memory.hpp"

namespace corolla::model {

class weight_source {
 public:
  /// `source` and `memory` must outlive it; the tensors may outlive both.
  weight_source(const checkpoint& source, dtype type, c10::Device device, weight_memory& memory);
  /// Gives back what converting the tensors left unused in the heap.
  ~weight_source();
  weight_source(const weight_source&) = delete;
  weight_source& operator=(const weight_source&) = delete;

  /// Throws checkpoint_error naming the tensor, the shape found and the one expected.
  at::Tensor load(const std::string& name, const shape& expected) const;

  struct part {
    std::string name;
    int64_t rows;
  };
  /// The parts one below the other, each [rows, columns]; or [rows] with columns = 0.
  at::Tensor load_joined(const std::vector<part>& parts, int64_t columns) const;

 private:
  void check(const std::string& name, const shape& expected) const;
  /// In the file's type or another, in memory that may come and go.
  at::Tensor read(const std::string& name, const shape& expected) const;
  at::Tensor empty(const shape& dims) const;

  const checkpoint& source_;
  dtype type_;
  c10::Device device_;
  weight_memory& memory_;
};

}  // namespace corolla::model
