// Private swarms: who holds a certificate takes part, everybody else is told why not, and the members go on.
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "golden.hpp"
#include "tests/support/temp_dir.hpp"
#include "with_clock.hpp"

namespace corolla::tests {

namespace {

namespace fs = std::filesystem;

/// A clock that is ten days slow.
process_options in_the_past() {
  return with_clock(-std::chrono::hours{240});
}

std::string keys(std::vector<std::string> words, const process_options& options = {}) {
  words.insert(words.begin(), "keys");
  const auto result = run_corolla(words, options);
  if (!result.end.is(0)) throw std::runtime_error(result.err);
  return result.out;
}

std::string without_line_end(std::string text) {
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

/// A swarm's key and what it gave to whom, as files made by `corolla keys` in one folder.
class swarm_keys {
 public:
  swarm_keys() : id_{without_line_end(keys({"new-swarm"}, in_folder()))} {}

  const std::string& id() const { return id_; }
  fs::path identity(const std::string& who) const { return folder_ / (who + ".key"); }

  /// Makes the identity where it is missing.
  std::string peer(const std::string& who) const {
    const auto shown = keys({"show", "--make", identity(who)});
    return shown.substr(5, shown.find('\n') - 5);  // "peer ID"
  }
  fs::path certificate(
      const std::string& who, const std::string& role, const std::string& life = "30d",
      const process_options& when = {}) const {
    return folder_.write(
        who + '.' + role + ".certificate",
        keys({"invite", peer(who), "--role", role, "--expires", life}, in_folder(when)));
  }

 private:
  process_options in_folder(process_options options = {}) const {
    options.folder = folder_.path();
    return options;
  }

  temp_dir folder_;
  std::string id_;
};

std::vector<std::string> node_membership(const swarm_keys& k, const std::string& who, const std::string& role) {
  return {
      "--node.swarm=private", "--node.swarm_id=" + k.id(), "--node.identity=" + k.identity(who).string(),
      "--node.certificate=" + k.certificate(who, role).string()};
}

/// What a member is told with when it generates.
std::vector<std::string> client_membership(
    const std::string& id, const fs::path& identity, const fs::path& certificate) {
  return {"--swarm", "private", "--swarm-id", id, "--identity", identity, "--certificate", certificate};
}

/// Two servers of a private swarm, and a client that is a member.
struct private_swarm {
  private_swarm() {
    servers.push_back(std::make_unique<server>(tiny_model("llama"), options("first", "0:1")));
    servers[0]->wait_until_ready();
    auto more = options("second", "1:4");
    more.push_back("--node.peers=[\"" + servers[0]->address() + "\"]");
    servers.push_back(std::make_unique<server>(tiny_model("llama"), more));
    servers[1]->wait_until_ready();
  }

  std::vector<std::string> options(const std::string& who, const std::string& blocks) const {
    auto result = node_membership(keys, who, "server");
    result.push_back("--node.blocks=" + blocks);
    return result;
  }

  run_result generate(const std::vector<std::string>& membership, const process_options& options = {}) const {
    const golden expected{"llama"};
    auto words = continuation(expected.prompts()[0], expected.greedy()[0].size());
    words.insert(words.begin(), {"generate", "--model", tiny_model("llama"), "--peers", servers[0]->address()});
    words.insert(words.end(), membership.begin(), membership.end());
    return run_corolla(words, options);
  }

  /// The client is turned away with a sentence, and the next member is served.
  void check_refusal(const run_result& refused, const std::string& sentence) const {
    BOOST_TEST(refused.end.is(1));
    BOOST_TEST(refused.out == "");
    BOOST_TEST(refused.err.find(sentence) != std::string::npos, refused.err);
    check_member();
  }

  void check_member() const {
    const auto served = generate(client_membership(keys.id(), keys.identity("member"), member));
    BOOST_TEST(served.end.is(0), served.err);
    BOOST_TEST(served.out == to_list(golden{"llama"}.greedy()[0]) + '\n');
  }

  swarm_keys keys;
  fs::path member = keys.certificate("member", "client");
  std::vector<std::unique_ptr<server>> servers;
};

/// Started once for all cases.
const private_swarm& members() {
  static const private_swarm all;
  return all;
}

}  // namespace

BOOST_AUTO_TEST_CASE(members_are_served) {
  const auto& s = members();
  s.check_member();
  const auto admin = s.keys.certificate("boss", "admin");
  BOOST_TEST(s.generate(client_membership(s.keys.id(), s.keys.identity("boss"), admin)).end.is(0));
}

BOOST_AUTO_TEST_CASE(an_admin_alone_is_told_of_sessions) {
  const auto& s = members();
  const auto ask = [&](const std::string& who, const fs::path& certificate) {
    auto words = client_membership(s.keys.id(), s.keys.identity(who), certificate);
    words.insert(words.begin(), {"swarm", "--sessions", "--json", "--peers", s.servers[0]->address()});
    return run_corolla(words);
  };
  s.check_refusal(ask("member", s.member), "not_allowed: only an admin of the swarm may ask");
  const auto told = ask("boss", s.keys.certificate("boss", "admin"));
  BOOST_TEST(told.end.is(0), told.err);
  BOOST_TEST(told.out.find(s.servers[1]->peer()) != std::string::npos, told.out);
  BOOST_TEST(told.out.find("failure") == std::string::npos, told.out);
}

BOOST_AUTO_TEST_CASE(an_admin_alone_makes_a_server_leave) {
  const auto& s = members();
  auto options = s.options("third", "1:4");
  options.push_back("--node.peers=[\"" + s.servers[0]->address() + "\"]");
  server third{tiny_model("llama"), options};
  third.wait_until_ready();
  const auto ask = [&](const std::string& who, const fs::path& certificate) {
    auto words = client_membership(s.keys.id(), s.keys.identity(who), certificate);
    words.insert(words.begin(), {"drain", third.peer(), "--peers", s.servers[0]->address()});
    return run_corolla(words);
  };
  s.check_refusal(ask("member", s.member), "not_allowed: only an admin of the swarm may ask");
  BOOST_TEST(third.child().running());
  const auto asked = ask("boss", s.keys.certificate("boss", "admin"));
  BOOST_TEST(asked.end.is(0), asked.err);
  BOOST_TEST(asked.out == "server " + third.peer() + " leaves; sessions to move: 0\n");
  BOOST_TEST(third.child().wait(patience).is(0), third.child().errors());
  s.check_member();
}

BOOST_AUTO_TEST_CASE(who_shows_no_certificate_is_refused) {
  const auto& s = members();
  s.check_refusal(s.generate({}), "no certificate");
  s.check_refusal(s.generate({"--swarm", "open"}), "no certificate");
}

BOOST_AUTO_TEST_CASE(a_certificate_that_has_expired_by_the_verifiers_clock_is_refused) {
  const auto& s = members();
  const auto expired = s.keys.certificate("late", "client", "1d", in_the_past());
  const auto membership = client_membership(s.keys.id(), s.keys.identity("late"), expired);
  s.check_refusal(s.generate(membership), expired.string() + ": the certificate has expired");
  // By its own clock it is good: the server decides.
  s.check_refusal(s.generate(membership, in_the_past()), "not_a_member: the certificate has expired");
}

BOOST_AUTO_TEST_CASE(a_certificate_of_another_swarm_is_refused_with_both_ids) {
  const auto& s = members();
  const swarm_keys others;
  const auto certificate = others.certificate("stranger", "client");
  const auto result = s.generate(client_membership(others.id(), others.identity("stranger"), certificate));
  s.check_refusal(result, "not_a_member");
  BOOST_TEST(result.err.find(s.keys.id()) != std::string::npos);
  BOOST_TEST(result.err.find(others.id()) != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_certificate_that_was_given_to_another_peer_is_refused_with_both_ids) {
  const auto& s = members();
  const auto result = s.generate(client_membership(s.keys.id(), s.keys.identity("thief"), s.member));
  s.check_refusal(result, s.keys.peer("member"));
  BOOST_TEST(result.err.find(s.keys.peer("thief")) != std::string::npos);
}

BOOST_AUTO_TEST_CASE(nodes_join_as_servers_alone) {
  const auto& s = members();
  auto words = node_membership(s.keys, "guest", "client");
  words.insert(words.begin(), {"node", "--node.model=" + tiny_model("llama").string()});
  s.check_refusal(run_corolla(words), "makes its holder a client, and it takes a server");
  const auto outside = run_corolla(
      {"node", "--node.model=" + tiny_model("llama").string(), "--node.peers=[\"" + s.servers[0]->address() + "\"]"});
  s.check_refusal(outside, "no certificate");
}

}  // namespace corolla::tests
