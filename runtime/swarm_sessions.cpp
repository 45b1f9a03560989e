#include "runtime/swarm_sessions.hpp"

#include <algorithm>
#include <stdexcept>
#include <tuple>

#include "runtime/printable.hpp"
#include "runtime/swarm_records.hpp"

namespace corolla::runtime {
namespace {

using namespace actors;

seen_session seen(const session_status& status) {
  seen_session result;
  result.session = to_string(status.session);
  result.client = status.client.to_string();
  result.begin = status.blocks.begin;
  result.end = status.blocks.end;
  result.restoring = status.restoring;
  result.epoch = status.epoch;
  result.applied = status.last;
  result.steps = status.steps;
  result.dropped = status.dropped;
  result.position = status.position;
  result.restored = status.restored;
  result.client_bytes = status.client_bytes;
  result.server_bytes = status.server_bytes;
  result.log_bytes = status.log_bytes;
  result.age_s = static_cast<double>(status.age.count()) / 1000;
  return result;
}

server_sessions seen(const told_sessions& told) {
  server_sessions result;
  result.peer = told.server.peer.to_string();
  result.model = printable(told.server.model_name);
  result.begin = told.server.blocks.begin;
  result.end = told.server.blocks.end;
  if (told.failure) result.failure = printable(describe(told.failure));
  result.total = told.list.total;
  for (const auto& status : told.list.sessions) result.sessions.push_back(seen(status));
  std::sort(result.sessions.begin(), result.sessions.end(), [](const seen_session& a, const seen_session& b) {
    return std::tie(a.client, a.begin, a.end, a.session) < std::tie(b.client, b.begin, b.end, b.session);
  });
  return result;
}

/// Every server judges by the same certificate: where one says no and none says yes, that is the answer.
void throw_if_refused(const std::vector<told_sessions>& all) {
  if (std::any_of(all.begin(), all.end(), [](const told_sessions& told) { return !told.failure; })) return;
  for (const auto& told : all)
    if (code_of(told.failure) == errc::not_allowed) throw std::runtime_error(printable(describe(told.failure)));
}

}  // namespace

std::vector<server_sessions> look_at_sessions(const swarm_options& options, const std::vector<std::string>& peers) {
  const auto all = read_sessions(options, peers);
  throw_if_refused(all);
  std::vector<server_sessions> result;
  for (const auto& told : all) result.push_back(seen(told));
  std::sort(result.begin(), result.end(), [](const server_sessions& a, const server_sessions& b) {
    return std::tie(a.model, a.begin, a.end, a.peer) < std::tie(b.model, b.begin, b.end, b.peer);
  });
  return result;
}

}  // namespace corolla::runtime
