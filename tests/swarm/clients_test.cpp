// Several clients of one swarm, and what is left of those that end: nothing.  The cache tells: a session of its whole
// size is granted only where nobody else has a page.
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <future>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "golden.hpp"
#include "runtime/client.hpp"
#include "silent_port.hpp"

namespace corolla::tests {

namespace {

/// Where all of `count` threads meet before any goes on.
class meeting {
 public:
  explicit meeting(size_t count) : missing_{count} {}

  /// False if somebody did not come in time.
  bool wait() {
    std::unique_lock lock{mutex_};
    if (--missing_ == 0) everybody_.notify_all();
    return everybody_.wait_for(lock, patience, [&] { return missing_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable everybody_;
  size_t missing_;
};

runtime::generated generate(const swarm& s, const token_ids& prompt, size_t count, meeting& in_the_middle) {
  runtime::client_options options;
  options.model = s.model();
  options.peers = {s.address()};
  model::generation_request request;
  request.prompt = prompt;
  request.max_new_tokens = static_cast<uint32_t>(count);
  request.ignore_eos = true;
  auto tokens = 0;
  return runtime::client::make(options)->generate(request, [&](const model::generated_token&) {
    if (++tokens == 2 && !in_the_middle.wait()) throw std::runtime_error("the others did not come");
  });
}

/// A session of `tokens` positions that begins at once, or as soon as there is room; it tells by its first token.
process start_session(const swarm& s, size_t tokens, std::chrono::milliseconds may_wait) {
  auto words = continuation({5}, tokens);
  words.insert(words.end(), {"--json-stream", "--alloc-timeout-ms", std::to_string(may_wait.count())});
  return s.start("generate", words);
}

void require_token(process& client) {
  const auto line = client.read_line(patience);
  BOOST_TEST_REQUIRE(line.has_value(), client.errors());
  BOOST_TEST_REQUIRE(nlohmann::json::parse(*line).contains("margin"), *line);
}

void require_refused(process client, const std::string& what) {
  BOOST_TEST_REQUIRE(client.wait(patience).is(1));
  BOOST_TEST(client.errors().find(what) != std::string::npos, client.errors());
}

constexpr size_t whole_cache = 8192;
constexpr std::chrono::milliseconds at_once{0};
/// Beyond what any of them is to wait.
constexpr std::chrono::milliseconds as_long_as_it_takes{30'000};
/// Servers hear of a client's end a little later than this test.
constexpr std::chrono::seconds until_noticed{2};
/// After which a client that says nothing is taken for lost.
constexpr std::chrono::seconds silence{5};

/// A client that is struck by `signal` in the middle of a text leaves the whole cache to the next, on every server and
/// within so long.  Returns it.
process check_that_nothing_stays(int signal, std::chrono::milliseconds within) {
  const swarm s{tiny_model("bloom"), {"0:1", "1:2", "2:4"}, {"--node.cache_tokens=" + std::to_string(whole_cache)}};
  auto first = start_session(s, whole_cache, at_once);
  for (int i = 0; i < 3; ++i) require_token(first);
  require_refused(start_session(s, 1, at_once), "0 of 8192 are free");
  auto second = start_session(s, whole_cache, as_long_as_it_takes);
  first.signal(signal);
  const auto struck = std::chrono::steady_clock::now();
  require_token(second);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - struck;
  BOOST_TEST(took.count() <= std::chrono::duration<double>(within).count());
  return first;
}

void check_end(process client, const exit_state& expected, const std::string& said) {
  const auto end = client.wait(patience);
  BOOST_TEST(end.exited == expected.exited);
  BOOST_TEST(end.code == expected.code);
  BOOST_TEST(client.errors() == said);
}

}  // namespace

BOOST_AUTO_TEST_CASE(four_clients_at_once_get_what_each_would_get_alone) {
  const golden expected{"llama"};
  const auto prompts = expected.prompts(), greedy = expected.greedy();
  // Pages of 16 tokens: 17 + 24 - 1 positions take three, so that four sessions fill the cache.
  const swarm s{expected.folder(), {"0:1", "1:2", "2:4"}, {"--node.cache_tokens=192"}};
  meeting in_the_middle{4};
  std::vector<std::future<runtime::generated>> running;
  for (size_t i = 0; i < 4; ++i)
    running.push_back(std::async(
        std::launch::async, [&, i] { return generate(s, prompts[i % 2], greedy[i % 2].size(), in_the_middle); }));
  for (size_t i = 0; i < 4; ++i) BOOST_TEST(running[i].get().ids == greedy[i % 2], boost::test_tools::per_element());
  auto whole = start_session(s, 192, as_long_as_it_takes);
  require_token(whole);
  BOOST_TEST(whole.wait(patience).is(0));
}

BOOST_AUTO_TEST_CASE(a_client_stopped_by_ctrl_c_closes_its_session_on_every_server) {
  check_end(
      check_that_nothing_stays(SIGINT, until_noticed), {true, 1},
      "corolla: interrupted: the session is closed on every server\n");
}

BOOST_AUTO_TEST_CASE(a_client_stopped_by_ctrl_c_before_a_route_is_open_does_not_claim_to_have_closed_one) {
  const silent_port nobody_answers;
  auto client = start_corolla(
      {"generate", "--model", tiny_model("llama"), "--peers",
       "corolla://" + std::string(52, 'a') + "@127.0.0.1:" + std::to_string(nobody_answers.number()), "--ids", "1",
       "--max-new-tokens", "4"});
  nobody_answers.wait_for_a_dialler();
  client.signal(SIGINT);
  check_end(std::move(client), {true, 1}, "corolla: interrupted before a route was open\n");
}

BOOST_AUTO_TEST_CASE(a_client_that_is_killed_leaves_nothing_on_any_server) {
  check_end(check_that_nothing_stays(SIGKILL, until_noticed), {false, SIGKILL}, "");
}

BOOST_AUTO_TEST_CASE(a_client_that_has_stopped_leaves_nothing_on_any_server_when_its_silence_is_noticed) {
  check_that_nothing_stays(SIGSTOP, silence + until_noticed);
}

}  // namespace corolla::tests
