// What is done to a text before it is cut into words.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "model/pretokenizer_regex.hpp"

namespace corolla::model {

enum class unicode_form { nfc, nfd, nfkc, nfkd };

struct replacement {
  regex pattern;
  std::string content;
};

/// Put before a text that is not empty.
struct prefix {
  std::string content;
};

struct lower_case {};

using normalizer_step = std::variant<unicode_form, replacement, prefix, lower_case>;

/// `text` and the result are valid UTF-8.
std::string normalize(std::string text, const std::vector<normalizer_step>& steps);

}  // namespace corolla::model
