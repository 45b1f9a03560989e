#include "crypto/identity.hpp"

#include "known_key.hpp"
#include "scratch_folder.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace corolla::crypto {

BOOST_AUTO_TEST_SUITE(key_files)

/// True if loading `file` throws and the sentence holds `words`; what it says otherwise is shown.
bool refuses(const std::filesystem::path& file, std::string_view words) {
  try {
    identity::load(file);
    BOOST_TEST_MESSAGE(file << " was accepted");
    return false;
  } catch (const std::runtime_error& error) {
    BOOST_TEST_MESSAGE(error.what());
    std::string_view sentence = error.what();
    return sentence.find(words) != sentence.npos && sentence.find(file.string()) != sentence.npos;
  }
}

BOOST_AUTO_TEST_CASE(a_key_is_made_once_for_its_owner_alone) {
  scratch_folder folder;
  auto file = folder / "key";
  auto made = identity::load_or_make(file);
  BOOST_TEST(permissions(file) == 0600u);
  BOOST_TEST((identity::load_or_make(file).peer() == made.peer()));
  BOOST_TEST((identity::load(file).peer() == made.peer()));
  BOOST_TEST(verify(made.public_key(), "test", {}, identity::load(file).sign("test", {})));
}

BOOST_AUTO_TEST_CASE(nothing_is_left_beside_the_key) {
  scratch_folder folder;
  identity::load_or_make(folder / "key");
  BOOST_TEST(folder.size() == 1u);
}

BOOST_AUTO_TEST_CASE(missing_folders_are_made_for_the_owner_alone) {
  scratch_folder folder;
  identity::load_or_make(folder / "a/b/key");
  BOOST_TEST(permissions(folder / "a") == 0700u);
  BOOST_TEST(permissions(folder / "a/b") == 0700u);
}

BOOST_AUTO_TEST_CASE(a_relative_name_is_taken_from_here) {
  scratch_folder folder;
  auto here = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  auto made = identity::load_or_make("key");
  std::filesystem::current_path(here);
  BOOST_TEST((identity::load(folder / "key").peer() == made.peer()));
}

BOOST_AUTO_TEST_CASE(a_file_that_others_can_reach_is_refused) {
  scratch_folder folder;
  auto file = folder.with("key", known_pem);
  for (mode_t mode : {0640, 0604, 0620, 0602, 0644, 0666}) {
    BOOST_REQUIRE(::chmod(file.c_str(), mode) == 0);
    BOOST_TEST(refuses(file, "chmod 600"));
    BOOST_CHECK_THROW(identity::load_or_make(file), std::runtime_error);
  }
  for (mode_t mode : {0400, 0600, 0700}) {
    BOOST_REQUIRE(::chmod(file.c_str(), mode) == 0);
    BOOST_TEST(identity::load(file).peer().to_string() == known_peer);
  }
}

BOOST_AUTO_TEST_CASE(a_broken_file_is_refused_and_kept) {
  scratch_folder folder;
  std::string whole{known_pem};
  // A file cut in its last line end is still whole.
  for (size_t size = 0; size + 1 < whole.size(); ++size) {
    auto file = folder.with("key", whole.substr(0, size));
    BOOST_CHECK_THROW(identity::load_or_make(file), std::runtime_error);
    BOOST_TEST(std::filesystem::file_size(file) == size);
  }
  BOOST_TEST(refuses(folder.with("key", "hello"), "holds no unencrypted Ed25519 key"));
}

BOOST_AUTO_TEST_CASE(keys_of_other_kinds_are_refused) {
  scratch_folder folder;
  // openssl genpkey -algorithm X25519
  auto file = folder.with(
      "key",
      "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VuBCIEIDBIImqH5ZNJ90lmH2/0vea8545Sf3Pb/D6wHfGJDqBO\n"
      "-----END PRIVATE KEY-----\n");
  BOOST_TEST(refuses(file, "holds no unencrypted Ed25519 key"));
}

BOOST_AUTO_TEST_CASE(an_encrypted_key_is_refused_and_nobody_is_asked_for_a_passphrase) {
  scratch_folder folder;
  // openssl genpkey -algorithm ED25519 -aes256 -pass pass:secret
  auto file = folder.with(
      "key",
      "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
      "MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgIaq3y12FtIwICCAAw\n"
      "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEEIJa9e+A0oVr0aFLtnMt1AEQOEl\n"
      "CMAC+45O/bq57CVXqeeL0MzVtd2Jy93RJDTMA54k+aW1S1vWa3TXZNmb7HQu2uTQ\n"
      "0YYeDcDWrlRAFx1gkbM=\n"
      "-----END ENCRYPTED PRIVATE KEY-----\n");
  BOOST_TEST(refuses(file, "holds no unencrypted Ed25519 key"));
}

BOOST_AUTO_TEST_CASE(a_large_file_is_refused_unread) {
  scratch_folder folder;
  BOOST_TEST(refuses(folder.with("key", std::string{known_pem} + std::string(8192, '\n')), "too large"));
}

BOOST_AUTO_TEST_CASE(what_is_no_file_is_refused) {
  scratch_folder folder;
  BOOST_TEST(refuses(folder.path(), "no regular file"));
  auto pipe = folder / "pipe";
  BOOST_REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  BOOST_TEST(refuses(pipe, "no regular file"));
  BOOST_TEST(refuses(folder / "missing", "does not exist"));
  BOOST_TEST(refuses(folder.with("file", "") / "key", "cannot be read"));
}

BOOST_AUTO_TEST_CASE(threads_that_race_get_the_same_key) {
  for (int round = 0; round < 20; ++round) {
    scratch_folder folder;
    std::vector<std::string> ids(4);
    std::vector<std::thread> threads;
    for (auto& id : ids)
      threads.emplace_back([&folder, &id] { id = identity::load_or_make(folder / "a/key").peer().to_string(); });
    for (auto& thread : threads) thread.join();
    BOOST_TEST(std::set<std::string>(ids.begin(), ids.end()).size() == 1u);
    BOOST_TEST(!ids.front().empty());
  }
}

/// A child's part of the race: waits for the start, gets the key, reports its id.  An exception ends the child, and so
/// the test, by a signal.
[[noreturn]] void race(const std::filesystem::path& file, int start, int report) noexcept {
  // Returns when the parent closes its end.
  char ignored;
  auto started = ::read(start, &ignored, 1) == 0;
  auto id = identity::load_or_make(file).peer().to_string();
  ::_exit(started && ::write(report, id.data(), id.size()) == static_cast<ssize_t>(id.size()) ? 0 : 1);
}

BOOST_AUTO_TEST_CASE(processes_that_race_get_the_same_key) {
  constexpr size_t racers = 6;
  scratch_folder folder;
  auto file = folder / "a/key";
  int start[2], report[2];
  BOOST_REQUIRE(::pipe(start) == 0 && ::pipe(report) == 0);
  std::vector<pid_t> children;
  for (size_t i = 0; i < racers; ++i) {
    auto child = ::fork();
    BOOST_REQUIRE(child >= 0);
    if (child == 0) {
      ::close(start[1]);
      race(file, start[0], report[1]);
    }
    children.push_back(child);
  }
  for (auto descriptor : {start[0], start[1], report[1]}) ::close(descriptor);
  std::set<std::string> ids;
  size_t reports = 0;
  // Ids are shorter than PIPE_BUF: each is written in one piece.
  for (std::string id(known_peer.size(), '\0'); ::read(report[0], id.data(), id.size()) > 0; ++reports) ids.insert(id);
  ::close(report[0]);
  for (auto child : children) {
    int status = -1;
    BOOST_TEST(::waitpid(child, &status, 0) == child);
    BOOST_TEST(status == 0);
  }
  BOOST_TEST(reports == racers);
  BOOST_TEST(ids.size() == 1u);
  BOOST_TEST(ids.count(identity::load(file).peer().to_string()) == 1u);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace corolla::crypto
