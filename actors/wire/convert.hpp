// Between what travels (messages.hpp) and what actors say to each other (actors/protocol.hpp).
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "actors/protocol.hpp"
#include "actors/wire/messages.hpp"
#include "actors/wire/traffic.hpp"

namespace corolla::actors::wire {

/// What a peer sent is refused before anybody else hears of it.
struct conversion_error {
  errc code;
  std::string text;
};
template <class T>
using converted = std::variant<T, conversion_error>;

open_body to_wire(const open_request& request);
/// Limits of batch, length and time are checked here.
converted<open_request> from_wire(const open_body& body);

/// For RESTORE and RELINK.
edge_body to_wire(const edge_target& to, uint64_t seq, uint64_t tag);
edge_target target_of(const edge_body& body);

status_reply_body to_wire(const session_status& status);
/// Without the session's id and client, which the peer that asked knows.
session_status from_wire(const status_reply_body& body);
/// With both.
listed_session_body to_listed(const session_status& status);
session_status from_wire(const listed_session_body& body);

step_body to_wire(const step& s);
/// `payload` holds the tensor that the body describes; it is shared, not copied.
converted<step> from_wire(
    const step_body& body, const std::shared_ptr<const payload_buffer>& payload, const peer_id& from);

prompts_body to_wire(const model::tensor& prompts, uint64_t tag);
/// As of a step.
converted<model::tensor> from_wire(const prompts_body& body, const std::shared_ptr<const payload_buffer>& payload);

/// Signs what a server says of itself.  Throws `malformed` where a text is beyond its limit.
crypto::signed_record sign(const crypto::identity& identity, const server_record& record);
/// Whose record it says it is, and its number: nothing of it is proved.
struct record_claim {
  peer_id owner;
  uint64_t seq = 0;
};
std::optional<record_claim> claim_of(const crypto::signed_record& record);
/// nullopt: forged, malformed, or not the signer's own.
std::optional<server_record> verify(const crypto::signed_record& record);

/// Signs a suspicion; its `signer` is the identity's, whatever it says.
crypto::signed_record sign(const crypto::identity& identity, const suspicion& suspicion);
/// nullopt: forged or malformed.
std::optional<suspicion> verify(const signed_suspicion& suspicion);

suspect_body to_wire(const signed_suspicion& suspicion);
std::optional<signed_suspicion> from_wire(const suspect_body& body);

digest_body to_wire(const policy::digest_range& range, uint64_t tag);
policy::digest_range from_wire(const digest_body& body);

record_body to_wire(const signed_server_record& record, uint64_t tag);
std::optional<signed_server_record> from_wire(const record_body& body);

}  // namespace corolla::actors::wire
