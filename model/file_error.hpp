// How errors about files are worded: one sentence that names the file, the field and what is wrong.
#pragma once

#include <string>
#include <string_view>

namespace corolla::model {

/// Throws checkpoint_error: "FILE: WHAT".
[[noreturn]] void fail(const std::string& file, const std::string& what);

/// 'text' in quotes, fit to be shown: control and non-ASCII characters are escaped, what is long is cut.
std::string in_quotes(std::string_view text);

}  // namespace corolla::model
