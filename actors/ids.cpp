#include "actors/ids.hpp"

#include "actors/errc.hpp"
#include "crypto/random.hpp"

namespace corolla::actors {

session_id session_id::random() {
  session_id id;
  crypto::fill_random(id.bytes);
  return id;
}

std::string to_string(const session_id& id) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (auto byte : id.bytes) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

std::string_view to_string(errc code) {
  switch (code) {
    case errc::position_mismatch:
      return "position_mismatch";
    case errc::no_room:
      return "no_room";
    case errc::unknown_session:
      return "unknown_session";
    case errc::not_yours:
      return "not_yours";
    case errc::stale:
      return "stale";
    case errc::gap:
      return "gap";
    case errc::bad_tensor:
      return "bad_tensor";
    case errc::not_finite:
      return "not_finite";
    case errc::too_large:
      return "too_large";
    case errc::model_mismatch:
      return "model_mismatch";
    case errc::blocks_mismatch:
      return "blocks_mismatch";
    case errc::unknown_peer:
      return "unknown_peer";
    case errc::unreachable:
      return "unreachable";
    case errc::wrong_peer:
      return "wrong_peer";
    case errc::version_mismatch:
      return "version_mismatch";
    case errc::not_a_member:
      return "not_a_member";
    case errc::protocol_violation:
      return "protocol_violation";
    case errc::overloaded:
      return "overloaded";
    case errc::link_lost:
      return "link_lost";
    case errc::timed_out:
      return "timed_out";
    case errc::stopping:
      return "stopping";
    case errc::compute_failed:
      return "compute_failed";
    case errc::missing_blocks:
      return "missing_blocks";
    case errc::cancelled:
      return "cancelled";
    case errc::bad_request:
      return "bad_request";
    case errc::duplicate_link:
      return "duplicate_link";
    case errc::not_allowed:
      return "not_allowed";
  }
  return "unknown_error";
}

}  // namespace corolla::actors
