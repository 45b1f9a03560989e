#include "runtime/commands/swarm_flags.hpp"

#include "crypto/address.hpp"
#include "crypto/swarm.hpp"
#include "runtime/errors.hpp"
#include "runtime/nearest.hpp"

namespace corolla::runtime::commands {

void swarm_flags::add_to(CLI::App& app) {
  app.add_option("--peers", peers_, "nodes of the swarm, corolla://ID@HOST:PORT with commas between; one suffices")
      ->delimiter(',');
  app.add_option("--swarm", swarm_, "kind of swarm: local, private or open")->capture_default_str();
  app.add_option("--swarm-id", swarm_id_, "private: the swarm's id");
  app.add_option("--identity", identity_, "file of this client's key, made if missing; without it a new key each time");
  app.add_option("--certificate", certificate_, "private: file of this client's certificate");
}

const std::vector<std::string>& swarm_flags::peers() const {
  for (const auto& peer : peers_)
    if (!crypto::address::parse(peer))
      throw usage_error("--peers wants corolla://ID@HOST:PORT as a ready line shows it, not \"" + peer + "\"");
  return peers_;
}

swarm_options swarm_flags::options() const {
  const auto kind = crypto::parse_swarm_kind(swarm_);
  if (!kind) {
    const std::vector<std::string> kinds{"local", "private", "open"};
    throw usage_error(
        "there is no kind of swarm \"" + swarm_ + "\"; the nearest is " + std::string{nearest(swarm_, kinds)});
  }
  const auto is_private = kind == crypto::swarm_kind::private_;
  if (is_private && (swarm_id_.empty() || certificate_.empty() || identity_.empty()))
    throw usage_error("--swarm private needs --swarm-id, --identity and --certificate");
  if (!is_private && !(swarm_id_.empty() && certificate_.empty()))
    throw usage_error("--swarm-id and --certificate are for --swarm private alone, and the swarm is " + swarm_);
  return {swarm_, swarm_id_, certificate_, identity_};
}

std::vector<std::string> checked_ids(const std::string& option, const std::vector<std::string>& ids) {
  for (const auto& id : ids)
    if (!crypto::peer_id::parse(id))
      throw usage_error(
          option + " wants peer ids, the 52 characters of an address between corolla:// and @, not \"" + id + "\"");
  return ids;
}

}  // namespace corolla::runtime::commands
