// Which servers a server keeps a link to, so that the swarm holds together whichever node is lost: those that follow it
// when all ids are put in a circle.  Nobody has to agree with anybody on it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace corolla::actors::policy {

/// The first `count` of `others` behind `self`, in that order; fewer where there are fewer.  `self` is none of them.
template <class Id>
std::vector<Id> successors(const Id& self, std::vector<Id> others, size_t count) {
  std::erase(others, self);
  std::sort(others.begin(), others.end());
  others.erase(std::unique(others.begin(), others.end()), others.end());
  std::rotate(others.begin(), std::upper_bound(others.begin(), others.end(), self), others.end());
  others.resize(std::min(others.size(), count));
  return others;
}

}  // namespace corolla::actors::policy
