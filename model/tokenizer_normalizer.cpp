#include "model/tokenizer_normalizer.hpp"

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>

#include "model/tokenizer.hpp"
#include "model/tokenizer_utf8.hpp"

namespace corolla::model {

namespace {

const icu::Normalizer2* instance(unicode_form form, UErrorCode& status) {
  switch (form) {
    case unicode_form::nfc:
      return icu::Normalizer2::getNFCInstance(status);
    case unicode_form::nfd:
      return icu::Normalizer2::getNFDInstance(status);
    case unicode_form::nfkc:
      return icu::Normalizer2::getNFKCInstance(status);
    case unicode_form::nfkd:
      return icu::Normalizer2::getNFKDInstance(status);
  }
  return nullptr;
}

std::string applied(unicode_form form, const std::string& text) {
  auto status = U_ZERO_ERROR;
  std::string result;
  icu::StringByteSink<std::string> sink(&result);
  if (const auto* normalizer = instance(form, status))
    normalizer->normalizeUTF8(/*options=*/0, text, sink, /*edits=*/nullptr, status);
  if (U_FAILURE(status)) throw tokenizer_error(std::string("normalizer: ICU fails with ") + u_errorName(status));
  return result;
}

std::string applied(const replacement& step, const std::string& text) {
  std::string result;
  size_t done = 0;
  for (const auto& m : step.pattern.matches(text)) {
    result.append(text, done, m.begin - done);
    result += step.content;
    done = m.end;
  }
  result.append(text, done);
  return result;
}

std::string applied(const prefix& step, const std::string& text) {
  return text.empty() ? text : step.content + text;
}

std::string applied(lower_case, const std::string& text) {
  std::string result;
  for (size_t at = 0; at < text.size();) {
    const auto c = character_at(text, at);
    append_utf8(static_cast<char32_t>(u_tolower(static_cast<UChar32>(c.code))), result);
    if (c.code == U'\u0130')  // the only letter whose lower case is two characters: i and a dot above
      append_utf8(U'\u0307', result);
    at += c.size;
  }
  return result;
}

}  // namespace

std::string normalize(std::string text, const std::vector<normalizer_step>& steps) {
  for (const auto& step : steps) text = std::visit([&](const auto& s) { return applied(s, text); }, step);
  return text;
}

}  // namespace corolla::model
