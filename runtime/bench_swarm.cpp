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

std::vector<std::string> arguments_of(const bench_folder& folder, const bench_node_options& options) {
  auto identity = folder.path() / (std::to_string(options.blocks.begin) + ".pem");
  std::vector<std::string> words{
      "corolla",
      "node",
      "--node.model=" + options.model,
      "--node.blocks=" + to_string(options.blocks),
      "--node.identity=" + identity.string(),
      "--node.threads=" + std::to_string(options.threads),
      "--node.cache_tokens=" + std::to_string(options.cache_tokens)};
  if (!options.peer.empty()) words.push_back("--node.peers=[\"" + options.peer + "\"]");
  return words;
}

}  // namespace

bench_folder::bench_folder() {
  auto name = (std::filesystem::temp_directory_path() / "corolla-bench-XXXXXX").string();
  if (!mkdtemp(name.data())) throw failure("a folder for the measurement");
  path_ = name;
}

bench_folder::~bench_folder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

bench_node::bench_node(const bench_folder& folder, const bench_node_options& options) {
  auto words = arguments_of(folder, options);
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
    throw std::runtime_error("a node for blocks " + to_string(options.blocks) + " did not start; it said why above");
  }
  address_ = ready.substr(begin, ready.find(' ', begin) - begin);
}

bench_node::~bench_node() {
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
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

model::generation_request bench_request(std::vector<int64_t> prompt, uint32_t new_tokens) {
  model::generation_request request;
  request.prompt = std::move(prompt);
  request.max_new_tokens = new_tokens;
  request.ignore_eos = true;
  return request;
}

}  // namespace corolla::runtime
