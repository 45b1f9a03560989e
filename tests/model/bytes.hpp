// Bytes, and what an error says about them.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "model/checkpoint.hpp"

namespace corolla::tests {

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

/// The sentence of the checkpoint_error that `action` throws; "" if it throws none.
template <class Action>
std::string error_of(Action action) {
  try {
    action();
  } catch (const model::checkpoint_error& e) {
    return e.what();
  }
  return {};
}

}  // namespace corolla::tests

/// Checks that `expression` throws a checkpoint_error that names the file and says `part`.
#define CHECK_REFUSED(expression, file, part)                                                             \
  do {                                                                                                    \
    const auto sentence = corolla::tests::error_of([&] { static_cast<void>(expression); });               \
    BOOST_TEST(sentence.find(file) != std::string::npos, "file not named: '" << sentence << "'");         \
    BOOST_TEST(sentence.find(part) != std::string::npos, "'" << part << "' not in '" << sentence << "'"); \
  } while (false)
