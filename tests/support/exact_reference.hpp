// What a virtual swarm must give.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/support/virtual_swarm.hpp"

namespace corolla::tests {

/// What the blocks give for a sequence of steps, computed without a swarm.
class exact_reference {
 public:
  exact_reference(uint32_t batch, uint32_t max_length);
  /// Deep prompts of all blocks, before the first step.
  void set_prompts(const model::tensor& prompts) { span_.set_prompts(cache_, prompts); }
  model::tensor run(const model::tensor& hidden, uint32_t position, const std::vector<uint32_t>& order = {});

 private:
  fake_span span_;
  model::cache_id cache_;
};

}  // namespace corolla::tests
