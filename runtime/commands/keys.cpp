#include <ctime>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "crypto/identity.hpp"
#include "crypto/membership.hpp"
#include "runtime/commands/parse.hpp"
#include "runtime/errors.hpp"
#include "runtime/nearest.hpp"

namespace corolla::runtime::commands {
namespace {

namespace fs = std::filesystem;

/// Where the swarm's key is unless another file is named, so that the commands find what the first of them made.
constexpr auto default_swarm_key = "swarm.key";

std::chrono::sys_seconds now() {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

std::string to_text(std::chrono::sys_seconds time) {
  const std::time_t seconds = time.time_since_epoch().count();
  std::tm broken_down{};
  ::gmtime_r(&seconds, &broken_down);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &broken_down);
  return text;
}

crypto::swarm_id swarm_of(const crypto::identity& key) {
  return crypto::swarm_id::of(key.public_key());
}

void new_swarm(const fs::path& file) {
  if (fs::exists(file)) throw std::runtime_error(file.string() + " exists: a swarm's key is never written over");
  std::cout << swarm_of(crypto::identity::load_or_make(file)).to_string() << '\n';
}

struct invitation {
  std::string peer, role = "client", expires = "30d";
  fs::path key = default_swarm_key;
};

void invite(const invitation& wanted) {
  const auto peer = crypto::peer_id::parse(wanted.peer);
  if (!peer)
    throw usage_error(
        "\"" + wanted.peer + "\" is no peer id: 52 characters, as `corolla keys show IDENTITY` tells them");
  const auto role = crypto::parse_role(wanted.role);
  if (!role) {
    const std::vector<std::string> roles{"server", "client", "admin"};
    throw usage_error(
        "there is no role " + wanted.role + "; the nearest is " + std::string{nearest(wanted.role, roles)});
  }
  const auto life = crypto::parse_duration(wanted.expires);
  if (!life)
    throw usage_error("--expires wants a number with s, min, h, d or w, such as 30d, not \"" + wanted.expires + "\"");
  const auto swarm = crypto::identity::load(wanted.key);
  std::cout << crypto::to_text(crypto::issue(swarm, *peer, *role, now() + *life)) << '\n';
}

void show_certificate(const crypto::certificate& shown) {
  const auto swarm = crypto::swarm_id::of(shown.swarm_key);
  const auto verdict = crypto::judge(crypto::encode(shown), swarm, shown.peer, now());
  const auto* refused = std::get_if<crypto::refusal>(&verdict);
  std::cout << "certificate of " << shown.peer.to_string() << "\nswarm " << swarm.to_string() << "\nrole "
            << crypto::to_string(shown.role) << "\nexpires " << to_text(shown.expires) << "\nvalid "
            << (refused == nullptr ? "yes" : "no: " + refused->sentence) << '\n';
}

/// A key is told by its first line; everything else must be a certificate.
bool is_key(const fs::path& file) {
  std::ifstream in{file};
  std::string line;
  return static_cast<bool>(std::getline(in, line)) && line.starts_with("-----BEGIN");
}

void show(const fs::path& file, bool make) {
  if (make || is_key(file)) {
    const auto key = make ? crypto::identity::load_or_make(file) : crypto::identity::load(file);
    std::cout << "peer " << key.peer().to_string() << "\nas a swarm's key " << swarm_of(key).to_string() << '\n';
    return;
  }
  if (!fs::exists(file))
    throw std::runtime_error(file.string() + " does not exist: name an identity, a swarm's key or a certificate");
  show_certificate(crypto::load_certificate(file));
}

}  // namespace

int keys(const arguments& args) {
  CLI::App app{"Makes and shows the keys and certificates of private swarms.", "keys"};
  app.require_subcommand(1);
  fs::path swarm_file = default_swarm_key, shown = default_swarm_key;
  invitation wanted;
  bool make = false;
  auto* made = app.add_subcommand("new-swarm", "makes a swarm's key, and prints the swarm's id");
  made->add_option("FILE", swarm_file, "file for the key, which whoever has it can invite with; never written over")
      ->default_str(default_swarm_key);
  auto* invited = app.add_subcommand("invite", "prints a certificate that lets a peer join");
  invited->add_option("PEERID", wanted.peer, "the peer's id, as its ready line or `corolla keys show` tells it")
      ->required();
  invited->add_option("--key", wanted.key, "file of the swarm's key")->default_str(default_swarm_key);
  invited->add_option("--role", wanted.role, "server, client or admin")->capture_default_str();
  invited->add_option("--expires", wanted.expires, "how long it is good for: a number with s, min, h, d or w")
      ->capture_default_str();
  auto* showing = app.add_subcommand("show", "tells the peer id of an identity, or what a certificate says");
  auto* file =
      showing->add_option("FILE", shown, "an identity, a swarm's key or a certificate")->default_str(default_swarm_key);
  // An identity is not what the default is for.
  showing->add_flag("--make", make, "makes the identity FILE if it is missing")->needs(file);
  if (!parse(app, args)) return exit_done;
  if (made->parsed())
    new_swarm(swarm_file);
  else if (invited->parsed())
    invite(wanted);
  else
    show(shown, make);
  return exit_done;
}

}  // namespace corolla::runtime::commands
