#include "model/json_file.hpp"

#include <string>
#include <string_view>

#include "model/file_error.hpp"
#include "model/mapped_file.hpp"

namespace corolla::model {

using nlohmann::json;

json read_json_object(const std::filesystem::path& path, uint64_t max_bytes) {
  constexpr int max_depth = 64;
  const mapped_file file(path);
  if (file.bytes().size() > max_bytes)
    fail(
        file.label(),
        "has " + std::to_string(file.bytes().size()) + " bytes, at most " + std::to_string(max_bytes) + " are read");
  const std::string_view text(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  const auto limit_depth = [&](int depth, json::parse_event_t, json&) {
    if (depth > max_depth) fail(file.label(), "is nested deeper than " + std::to_string(max_depth) + " levels");
    return true;
  };
  json result;
  try {
    result = json::parse(text, limit_depth);
  } catch (const json::parse_error& e) {
    fail(file.label(), text.empty() ? "is empty" : "is no valid JSON at byte " + std::to_string(e.byte));
  } catch (const json::exception&) {
    fail(file.label(), "holds a number that is too large");
  }
  if (!result.is_object()) fail(file.label(), "is no JSON object");
  return result;
}

}  // namespace corolla::model
