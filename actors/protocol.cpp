#include "actors/protocol.hpp"

#include <algorithm>
#include <string>

#include <caf/make_message.hpp>
#include <caf/sec.hpp>
#include <caf/to_string.hpp>

namespace corolla::actors {
namespace {

constexpr auto category = caf::atom("corolla");

}  // namespace

caf::error make_error(errc code, std::string text) {
  return {static_cast<uint8_t>(code), category, caf::make_message(std::move(text))};
}

caf::error make_error(errc code, std::string text, uint64_t last) {
  return {static_cast<uint8_t>(code), category, caf::make_message(std::move(text), last)};
}

uint64_t last_of(const caf::error& reason) {
  if (!reason) return 0;
  auto& context = reason.context();
  return context.match_elements<std::string, uint64_t>() ? context.get_as<uint64_t>(1) : 0;
}

std::string describe(const caf::error& reason) {
  if (!reason) return "no error";
  if (reason.category() != category) return caf::to_string(reason);
  std::string result{to_string(static_cast<errc>(reason.code()))};
  if (auto& context = reason.context();
      (context.match_elements<std::string>() || context.match_elements<std::string, uint64_t>()) &&
      !context.get_as<std::string>(0).empty())
    result += ": " + context.get_as<std::string>(0);
  return result;
}

std::string sentence(const caf::error& reason) {
  auto text = describe(reason);
  const auto code = std::string{to_string(code_of(reason))} + ": ";
  return text.starts_with(code) ? text.substr(code.size()) : text;
}

errc code_of(const caf::error& reason) {
  if (!reason) return errc::stopping;  // nothing of it may be looked at
  if (reason.category() == category) return static_cast<errc>(reason.code());
  if (reason == caf::sec::request_timeout) return errc::timed_out;
  return errc::compute_failed;
}

}  // namespace corolla::actors
