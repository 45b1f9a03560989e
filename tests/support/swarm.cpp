#include "tests/support/swarm.hpp"

#include <fstream>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace corolla::tests {

namespace {

std::vector<std::string> node_words(const std::filesystem::path& model, const std::vector<std::string>& options) {
  std::vector<std::string> words{"node", "--node.model=" + model.string(), "--node.port=0", "--node.threads=1"};
  words.insert(words.end(), options.begin(), options.end());
  return words;
}

process start(const std::string& executable, const std::vector<std::string>& words, process_options options) {
  auto command = words;
  command.insert(command.begin(), executable);
  options.environment.insert(options.environment.end(), {"OMP_WAIT_POLICY=passive", "OMP_NUM_THREADS=1"});
  return process{command, options};
}

/// The value of " NAME=VALUE" in a ready line.
std::string field(const std::string& line, const std::string& name) {
  const auto at = line.find(" " + name + "=");
  if (at == std::string::npos) throw std::runtime_error("no " + name + " in the ready line: " + line);
  const auto begin = at + name.size() + 2;
  return line.substr(begin, line.find(' ', begin) - begin);
}

}  // namespace

std::filesystem::path tiny_model(std::string_view name) {
  return std::filesystem::path{COROLLA_SOURCE_DIR} / "tests/golden/tiny" / name;
}

process start_corolla(const std::vector<std::string>& words, process_options options) {
  return start(corolla_executable(), words, std::move(options));
}

process start_node(
    const std::string& executable, const std::filesystem::path& model, const std::vector<std::string>& options,
    process_options how) {
  return start(executable, node_words(model, options), std::move(how));
}

run_result run_corolla(const std::vector<std::string>& words, process_options options) {
  auto child = start_corolla(words, std::move(options));
  const auto end = child.wait(patience);
  return {end, child.output(), child.errors()};
}

server::server(const std::filesystem::path& model, const std::vector<std::string>& options)
    : server{start_node(corolla_executable(), model, options)} {}

void server::wait_until_ready() {
  ready_line_ = child_.wait_for_line("ready ", patience);
  constexpr size_t begin = 6;
  address_ = ready_line_.substr(begin, ready_line_.find(' ', begin) - begin);
  model_ = field(ready_line_, "model");
}

std::string server::peer() const {
  constexpr size_t begin = 10;  // behind corolla://
  return address_.substr(begin, address_.find('@') - begin);
}

std::string server::host_port() const {
  return address_.substr(address_.find('@') + 1);
}

uint16_t server::port() const {
  return static_cast<uint16_t>(std::stoi(address_.substr(address_.rfind(':') + 1)));
}

swarm::swarm(
    const std::filesystem::path& model, const std::vector<std::string>& spans, const std::vector<std::string>& options)
    : model_{model} {
  for (const auto& span : spans) {
    auto all = options;
    all.push_back("--node.blocks=" + span);
    if (!servers_.empty()) all.push_back("--node.peers=[\"" + address() + "\"]");
    servers_.emplace_back(model, all);
    // The others start side by side.
    if (servers_.size() == 1) servers_.front().wait_until_ready();
  }
  for (size_t i = 1; i < servers_.size(); ++i) servers_[i].wait_until_ready();
}

std::vector<std::string> swarm::words(const std::string& command, const std::vector<std::string>& more) const {
  std::vector<std::string> result{command, "--model", model_.string(), "--peers", address(), "--threads", "1"};
  result.insert(result.end(), more.begin(), more.end());
  return result;
}

run_result swarm::run(const std::string& command, const std::vector<std::string>& more) const {
  return run_corolla(words(command, more));
}

process swarm::start(const std::string& command, const std::vector<std::string>& more) const {
  return start_corolla(words(command, more));
}

uint64_t resident_bytes(pid_t pid) {
  std::ifstream status{"/proc/" + std::to_string(pid) + "/status"};
  for (std::string line; std::getline(status, line);) {
    std::istringstream words{line};
    std::string name;
    uint64_t kilobytes = 0;
    if (words >> name >> kilobytes && name == "VmRSS:") return kilobytes << 10;
  }
  throw std::runtime_error("process " + std::to_string(pid) + " tells no VmRSS");
}

}  // namespace corolla::tests
