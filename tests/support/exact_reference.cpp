#include "tests/support/exact_reference.hpp"

#include <atomic>
#include <memory>
#include <stdexcept>

namespace corolla::tests {

exact_reference::exact_reference(uint32_t batch, uint32_t max_length)
    : span_{{0, virtual_swarm::num_blocks}, virtual_swarm::hidden_size, uint64_t{batch} * max_length, std::make_shared<fake_span::controls>()},
      cache_{*span_.reserve({0, virtual_swarm::num_blocks}, batch, max_length)} {}

model::tensor exact_reference::run(const model::tensor& hidden, uint32_t position, const std::vector<uint32_t>& order) {
  model::span_step s;
  s.cache = cache_;
  s.position = position;
  s.hidden = hidden;
  s.hypo_ids = order;
  const std::atomic<bool> never{false};
  auto results = span_.run({&s, 1}, never);
  if (!results[0].ok()) throw std::runtime_error(results[0].error);
  return results[0].hidden;
}

}  // namespace corolla::tests
