// The first key pair of RFC 8032, 7.1, and what other programs (sha256sum, base32, openssl) made of it.
#pragma once

#include "crypto/peer_id.hpp"

#include <charconv>
#include <cstdint>
#include <string_view>
#include <vector>

namespace corolla::crypto {

inline constexpr std::string_view known_pem =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
    "-----END PRIVATE KEY-----\n";

inline constexpr std::string_view known_public_key = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

inline constexpr std::string_view known_peer = "eh7ddx5bksrgcytl7bkai36se4nxx3klnk7elksyq57pi74xeg4q";

inline std::vector<uint8_t> from_hex(std::string_view text) {
  std::vector<uint8_t> bytes(text.size() / 2);
  for (size_t i = 0; i < bytes.size(); ++i) std::from_chars(text.data() + 2 * i, text.data() + 2 * i + 2, bytes[i], 16);
  return bytes;
}

}  // namespace corolla::crypto
