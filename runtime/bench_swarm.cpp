#include "runtime/bench_swarm.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <random>
#include <stdexcept>
#include <system_error>

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "model/checkpoint.hpp"

namespace corolla::runtime {
namespace {

std::system_error failure(const char* what) {
  return {errno, std::generic_category(), what};
}

/// Runs in the child between fork and exec: only what a signal handler may do.
[[noreturn]] void become(char* const* arguments, int output, const cpu_set_t* set) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (set) sched_setaffinity(0, sizeof *set, set);
  dup2(output, STDOUT_FILENO);
  execv("/proc/self/exe", arguments);
  _exit(127);
}

std::string read_line(int fd) {
  std::string line;
  char c;
  while (read(fd, &c, 1) == 1 && c != '\n') line += c;
  return line;
}

std::vector<std::string> arguments_of(const bench_node_options& options) {
  std::vector<std::string> words{"corolla", "node", "--node.port=" + std::to_string(options.port)};
  if (!options.peer.empty()) words.push_back("--node.peers=[\"" + options.peer + "\"]");
  if (!options.announce.empty()) words.push_back("--node.announce=[\"" + options.announce + "\"]");
  if (options.model.empty()) {
    words.emplace_back("--node.serve=false");
    return words;
  }
  words.push_back("--node.model=" + options.model);
  words.push_back("--node.blocks=" + to_string(options.blocks));
  words.push_back("--node.threads=" + std::to_string(options.threads));
  words.push_back("--node.cache_tokens=" + std::to_string(options.cache_tokens));
  return words;
}

}  // namespace

bench_node::bench_node(const bench_node_options& options) {
  auto words = arguments_of(options);
  std::vector<char*> arguments;
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  cpu_set_t set;
  CPU_ZERO(&set);
  if (options.processor >= 0) CPU_SET(options.processor, &set);
  std::array<int, 2> output{};
  if (pipe2(output.data(), O_CLOEXEC) != 0) throw failure("a pipe to a node");
  pid_ = fork();
  if (pid_ < 0) throw failure("a process for a node");
  if (pid_ == 0) become(arguments.data(), output[1], options.processor >= 0 ? &set : nullptr);
  close(output[1]);
  auto ready = read_line(output[0]);
  close(output[0]);
  auto begin = ready.find("corolla://");
  if (!ready.starts_with("ready ") || begin == std::string::npos) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    throw std::runtime_error("a node of the measurement did not start; it said why above");
  }
  const auto end = ready.find(' ', begin);
  address_ = ready.substr(begin, end == std::string::npos ? end : end - begin);
}

bench_node::~bench_node() {
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

/// It is reaped with its object alone, so that the number remains this process's.
static void wait_until(pid_t child, int is) {
  siginfo_t how;
  while (waitid(P_PID, static_cast<id_t>(child), &how, is | WNOWAIT) < 0 && errno == EINTR) {
  }
}

void bench_node::signal(int number) const {
  kill(pid_, number);
  // One of its threads has to run before they all stop.
  if (number == SIGSTOP) wait_until(pid_, WSTOPPED | WEXITED);
}

void bench_node::wait() const {
  wait_until(pid_, WEXITED);
}

std::vector<int> processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  sched_getaffinity(0, sizeof set, &set);
  std::vector<int> result;
  for (int i = 0; i < CPU_SETSIZE; ++i)
    if (CPU_ISSET(i, &set)) result.push_back(i);
  return result;
}

void pin_to(int processor) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(processor, &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) throw failure("pinning to a processor");
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

std::vector<int64_t> bench_prompt(const std::string& model, uint32_t tokens) {
  auto vocabulary = model::checkpoint::open(model)->config().at("vocab_size").get<int64_t>();
  std::mt19937_64 random{1};
  std::vector<int64_t> ids;
  for (uint32_t i = 0; i < tokens; ++i)
    ids.push_back(static_cast<int64_t>(random() % static_cast<uint64_t>(vocabulary)));
  return ids;
}

client_options bench_client(const bench_settings& settings, const std::string& address) {
  client_options options;
  options.model = settings.model;
  options.threads = settings.threads;
  options.local = address.empty();
  if (!options.local) options.peers = {address};
  return options;
}

model::generation_request bench_request(std::vector<int64_t> prompt, uint32_t new_tokens) {
  model::generation_request request;
  request.prompt = std::move(prompt);
  request.max_new_tokens = new_tokens;
  request.ignore_eos = true;
  return request;
}

}  // namespace corolla::runtime
