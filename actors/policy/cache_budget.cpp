#include "actors/policy/cache_budget.hpp"

namespace corolla::actors::policy {

cache_budget::answer cache_budget::ask(request newcomer, uint64_t free, time_point now, time_point::duration wait) {
  if (newcomer.tokens > capacity_) return answer::never_fits;
  if (line_.empty() && newcomer.tokens <= free) return answer::granted;
  if (wait <= time_point::duration::zero()) return answer::no_room;
  if (line_.size() >= max_waiting_) return answer::too_many_waiting;
  line_.push_back({newcomer, now + wait});
  return answer::waits;
}

std::optional<uint64_t> cache_budget::next(uint64_t free) {
  if (line_.empty() || line_.front().who.tokens > free) return std::nullopt;
  auto ticket = line_.front().who.ticket;
  line_.pop_front();
  return ticket;
}

std::vector<uint64_t> cache_budget::expired(time_point now) {
  std::vector<uint64_t> result;
  std::erase_if(line_, [&](const place& p) {
    if (p.deadline > now) return false;
    result.push_back(p.who.ticket);
    return true;
  });
  return result;
}

bool cache_budget::withdraw(uint64_t ticket) {
  return std::erase_if(line_, [&](const place& p) { return p.who.ticket == ticket; }) > 0;
}

}  // namespace corolla::actors::policy
