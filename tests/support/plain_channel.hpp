// A secure channel that secures nothing: each side sends its peer id, then everything goes as it is.  For tests in
// virtual time, and for fuzzers, which could not get past TLS.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "actors/wire/secure_channel.hpp"

namespace corolla::tests {

/// `out` takes what is to be sent first.
std::unique_ptr<actors::wire::secure_channel> plain_channel(
    const crypto::peer_id& self, const std::optional<crypto::peer_id>& expected, std::vector<char>& out);

}  // namespace corolla::tests
