#include "actors/policy/output_log.hpp"

namespace corolla::actors::policy {

row_order compose(const row_order& first, const row_order& second) {
  if (first.empty()) return second;
  if (second.empty()) return first;
  row_order result(second.size());
  std::transform(second.begin(), second.end(), result.begin(), [&](uint32_t row) { return first.at(row); });
  return result;
}

}  // namespace corolla::actors::policy
