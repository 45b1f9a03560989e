#include "actors/wire/flow.hpp"

#include <algorithm>
#include <utility>

namespace corolla::actors::wire {

void inbound_flow::open(uint64_t stream) {
  accounts_[stream].allowance = chunk_;
}

void inbound_flow::close(uint64_t stream) {
  auto found = accounts_.find(stream);
  if (found == accounts_.end()) return;
  auto& of = found->second;
  pool_ += of.lent;
  held_ -= of.partial + of.waiting;
  if (of.asking) borrowers_.erase(std::find(borrowers_.begin(), borrowers_.end(), stream));
  accounts_.erase(found);
  std::erase_if(grants_, [&](const grant& g) { return g.stream == stream; });
  lend();
}

void inbound_flow::announce(uint64_t stream, uint32_t bytes) {
  auto& of = accounts_.at(stream);
  of.owed += bytes;
  settle(stream, of);
  lend();
}

bool inbound_flow::receive(uint64_t stream, uint32_t bytes) {
  auto& of = accounts_.at(stream);
  if (bytes > of.allowance || bytes > of.owed) return false;
  of.allowance -= bytes;
  of.owed -= bytes;
  of.partial += bytes;
  held_ += bytes;
  return true;
}

void inbound_flow::complete(uint64_t stream, uint32_t bytes) {
  auto& of = accounts_.at(stream);
  of.partial -= bytes;
  of.waiting += bytes;
}

void inbound_flow::take(uint64_t stream, uint32_t bytes) {
  auto found = accounts_.find(stream);
  if (found == accounts_.end()) return;
  auto& of = found->second;
  auto taken = std::min<uint64_t>(bytes, of.waiting);
  of.waiting -= taken;
  held_ -= taken;
  // Loans go back first: others may wait for them.
  auto repaid = std::min(taken, of.lent);
  of.lent -= repaid;
  pool_ += repaid;
  of.due += taken - repaid;
  settle(stream, of);
  lend();
}

std::vector<grant> inbound_flow::collect_grants() {
  return std::exchange(grants_, {});
}

size_t inbound_flow::held(uint64_t stream) const {
  auto found = accounts_.find(stream);
  return found == accounts_.end() ? 0 : found->second.partial + found->second.waiting;
}

size_t inbound_flow::allowance(uint64_t stream) const {
  auto found = accounts_.find(stream);
  return found == accounts_.end() ? 0 : found->second.allowance;
}

size_t inbound_flow::committed() const {
  size_t sum = 0;
  for (auto& entry : accounts_)
    sum += entry.second.allowance + entry.second.due + entry.second.partial + entry.second.waiting;
  return sum;
}

void inbound_flow::settle(uint64_t stream, account& of) {
  auto starved = of.owed > of.allowance;
  if (of.due >= chunk_ / 2 || (starved && of.due > 0)) give(stream, of, std::exchange(of.due, 0));
  // Only to the oldest message of a stream: those behind it wait for it to be taken, so that who is slow to take holds
  // at most one loan and a chunk.
  if (of.owed > of.allowance && of.waiting == 0 && !of.asking) {
    of.asking = true;
    borrowers_.push_back(stream);
  }
}

void inbound_flow::lend() {
  while (!borrowers_.empty()) {
    auto stream = borrowers_.front();
    auto& of = accounts_.at(stream);
    auto missing = of.owed > of.allowance ? of.owed - of.allowance : 0;
    if (missing > pool_) return;
    borrowers_.pop_front();
    of.asking = false;
    pool_ -= missing;
    of.lent += missing;
    if (missing > 0) give(stream, of, missing);
  }
}

void inbound_flow::give(uint64_t stream, account& to, uint64_t bytes) {
  to.allowance += bytes;
  auto same = std::find_if(grants_.begin(), grants_.end(), [&](const grant& g) { return g.stream == stream; });
  if (same == grants_.end())
    grants_.push_back({stream, static_cast<uint32_t>(bytes)});
  else
    same->bytes += static_cast<uint32_t>(bytes);
}

}  // namespace corolla::actors::wire
