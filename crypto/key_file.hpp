// The file that a private key lives in: readable by its owner alone, and never seen half written.  Not for other
// folders.
#pragma once

#include "crypto/openssl.hpp"

#include <filesystem>

namespace corolla::crypto {

/// The key in `file`, or null where no such file exists.  Throws std::runtime_error if it cannot be read, if anyone but
/// its owner may use it, and if it holds anything but one unencrypted Ed25519 key.
pkey_ptr read_key_file(const std::filesystem::path& file);

/// Writes `key` unless `file` exists, making its missing folders.  False if another process was there first.  Throws
/// std::runtime_error if the file cannot be made.
bool create_key_file(const std::filesystem::path& file, EVP_PKEY* key);

}  // namespace corolla::crypto
