#include "runtime/bench_link.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <span>
#include <stdexcept>

#include <caf/actor_system.hpp>
#include <caf/scoped_actor.hpp>

#include "runtime/bench_link_ends.hpp"
#include "runtime/bench_plain_tls.hpp"
#include "runtime/bench_processes.hpp"

namespace corolla::runtime {
namespace {

using namespace actors;
using namespace actors::wire;

constexpr uint32_t warm_up = 500;
constexpr int round_trip_rounds = 5;
constexpr uint32_t round_trip_samples = 1000;
constexpr uint32_t beside_samples = 1000;
constexpr int bulk_rounds = 7;
constexpr uint32_t bulk_message_bytes = 8u << 20;
constexpr uint32_t bulk_messages = 32;
constexpr uint32_t stuck_message_bytes = 1u << 20;

/// The near end, with a request that waits for its answer.
class measured_link {
 public:
  measured_link(caf::actor_system& system, int socket) : self_{system}, near_{measure_over(system, socket)} {}
  ~measured_link() { self_->send_exit(near_.link, caf::exit_reason::user_shutdown); }

  template <class T, class Actor, class... Args>
  T ask(const Actor& whom, Args&&... args) {
    std::optional<T> answer;
    self_->request(whom, bench_patience, std::forward<Args>(args)...)
        .receive(
            [&](T& got) { answer = std::move(got); },
            [](caf::error& reason) { throw std::runtime_error{describe(reason)}; });
    return std::move(*answer);
  }
  std::vector<double> round_trips(uint32_t size, uint32_t count) {
    return ask<std::vector<double>>(near_.end, round_trips_atom::value, size, count);
  }
  std::vector<double> round_trips_beside_bulk(uint32_t size, uint32_t count) {
    return ask<std::vector<double>>(near_.end, beside_atom::value, size, count);
  }
  double bulk(uint32_t size, uint32_t count) { return ask<double>(near_.end, bulk_atom::value, size, count); }
  traffic counters() { return ask<link_status>(near_.link, status_atom::value).counters; }
  /// Offers so many messages, each with memory of its own, on the stream that bulk goes on.
  void offer(uint32_t size, uint32_t count);

 private:
  caf::scoped_actor self_;
  bench_near near_;
};

void measured_link::offer(uint32_t size, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) {
    outgoing message;
    message.type = frame_type::step;
    message.cls = priority::bulk;
    message.stream = bench_bulk_stream;
    message.payload = {model::dtype::uint8, {size}, std::vector<std::byte>(size, std::byte{1})};
    self_->send(near_.link, frame_atom::value, std::move(message));
    // Answered behind the message: no more than one of them is in the link's mailbox.
    counters();
  }
}

double quantile(std::vector<double>& values, double q) {
  auto at = static_cast<size_t>(q * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
  return values[at];
}

void add_round_trips(
    std::vector<bench_row>& rows, const std::string& name, measured_link& link, plain_tls_peer& plain, uint32_t size,
    double limit) {
  // In turns, so that both have the same neighbours on the machine.
  std::vector<double> ours, theirs;
  for (int round = 0; round < round_trip_rounds; ++round) {
    for (auto seconds : link.round_trips(size, round_trip_samples)) ours.push_back(seconds);
    for (auto seconds : plain.round_trips(size, round_trip_samples)) theirs.push_back(seconds);
  }
  auto median = quantile(ours, 0.5), plain_median = quantile(theirs, 0.5);
  rows.push_back({name + ", plain blocking OpenSSL", plain_median * 1e6, "us", {}, {}, theirs.size()});
  rows.push_back({name + ", median", median * 1e6, "us", limit, median / plain_median, ours.size()});
  rows.push_back({name + ", p99", quantile(ours, 0.99) * 1e6, "us", {}, {}, ours.size()});
}

void add_round_trips_beside_bulk(std::vector<bench_row>& rows, measured_link& link) {
  auto seconds = link.round_trips_beside_bulk(8192, beside_samples);
  rows.push_back(
      {"round trip of 8 KiB beside bulk, median", quantile(seconds, 0.5) * 1e6, "us", {}, {}, beside_samples});
  rows.push_back(
      {"round trip of 8 KiB beside bulk, p99", quantile(seconds, 0.99) * 1e6, "us", 2000, {}, beside_samples});
}

void add_bulk(std::vector<bench_row>& rows, measured_link& link, plain_tls_peer& plain) {
  std::vector<double> ours, theirs;
  for (int round = 0; round < bulk_rounds; ++round) {
    ours.push_back(link.bulk(bulk_message_bytes, bulk_messages));
    theirs.push_back(plain.bytes_per_second(uint64_t{bulk_message_bytes} * bulk_messages));
  }
  auto link_rate = quantile(ours, 0.5), plain_rate = quantile(theirs, 0.5);
  rows.push_back({"bulk over plain blocking OpenSSL", plain_rate / 1e6, "MB/s", {}, {}, theirs.size()});
  rows.push_back(
      {"bulk over a link", link_rate / 1e6, "MB/s", 0.7 * plain_rate / 1e6, link_rate / plain_rate, ours.size()});
}

double resident_megabytes() {
  std::ifstream file{"/proc/self/statm"};
  double all = 0, resident = 0;
  file >> all >> resident;
  return resident * static_cast<double>(::sysconf(_SC_PAGESIZE)) / 1e6;
}

void add_stopped_peer(std::vector<bench_row>& rows, measured_link& link, int peer) {
  constexpr auto ceiling = static_cast<double>(limits::outbound_ceiling_bytes) / 1e6;
  ::kill(peer, SIGSTOP);
  auto count = static_cast<uint32_t>(2 * limits::outbound_ceiling_bytes / stuck_message_bytes);
  link.offer(stuck_message_bytes, count);
  auto full = resident_megabytes();
  link.offer(stuck_message_bytes, count);
  auto grown = std::max(0.0, resident_megabytes() - full);
  auto queued = static_cast<double>(link.counters().queued_bytes) / 1e6;
  ::kill(peer, SIGCONT);
  rows.push_back({"queued behind a peer that stopped to read", queued, "MB", ceiling, {}, count});
  rows.push_back({"memory grown by as many more messages", grown, "MB", 8.0, {}, count});
}

}  // namespace

std::vector<bench_row> bench_link(const bench_settings&) {
  plain_tls_peer plain;
  auto sockets = connected_pair(/*blocking=*/false);
  auto child = fork_into([&] {
    ::close(sockets.first);
    answer_bench(sockets.second);
  });
  ::close(sockets.second);
  std::vector<bench_row> rows;
  {
    bench_caf_config options;
    caf::actor_system system{options};
    measured_link link{system, sockets.first};
    link.round_trips(8192, warm_up);
    add_round_trips(rows, "round trip of 8 KiB", link, plain, 8192, 60);
    add_round_trips(rows, "round trip of 64 KiB", link, plain, 65536, 130);
    add_bulk(rows, link, plain);
    add_round_trips_beside_bulk(rows, link);
    add_stopped_peer(rows, link, child);
  }
  ::waitpid(child, nullptr, 0);
  return rows;
}

}  // namespace corolla::runtime
