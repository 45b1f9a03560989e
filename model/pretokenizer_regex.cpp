#define PCRE2_CODE_UNIT_WIDTH 8
#include "model/pretokenizer_regex.hpp"

#include <stdexcept>

#include <pcre2.h>

#include "model/tokenizer.hpp"
#include "model/tokenizer_utf8.hpp"

namespace corolla::model {

namespace {

constexpr size_t max_pattern_bytes = 64 * 1024;
// Steps of backtracking in the search for one match.  A pattern in use takes a few for each byte that it looks at.
constexpr uint32_t max_steps = 10'000'000;
constexpr uint32_t max_heap_kib = 64 * 1024;

template <auto Free>
struct freed_by {
  template <class T>
  void operator()(T* p) const {
    Free(p);
  }
};
using code_ptr = std::unique_ptr<pcre2_code, freed_by<pcre2_code_free>>;
using compile_context_ptr = std::unique_ptr<pcre2_compile_context, freed_by<pcre2_compile_context_free>>;
using match_context_ptr = std::unique_ptr<pcre2_match_context, freed_by<pcre2_match_context_free>>;
using match_data_ptr = std::unique_ptr<pcre2_match_data, freed_by<pcre2_match_data_free>>;

PCRE2_SPTR units(std::string_view text) {
  return reinterpret_cast<PCRE2_SPTR>(text.data());
}

std::string message_of(int error) {
  PCRE2_UCHAR buffer[256];
  pcre2_get_error_message(error, buffer, sizeof buffer);
  return reinterpret_cast<const char*>(buffer);
}

code_ptr compile(std::string_view pattern, uint32_t options) {
  if (pattern.size() > max_pattern_bytes)
    throw std::invalid_argument("it is longer than " + std::to_string(max_pattern_bytes) + " bytes");
  if (!is_utf8(pattern)) throw std::invalid_argument("it is not valid UTF-8");
  compile_context_ptr context(pcre2_compile_context_create(nullptr));
  if (!context) throw std::bad_alloc();
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  int error = 0;
  PCRE2_SIZE where = 0;
  code_ptr code(pcre2_compile(units(pattern), pattern.size(), PCRE2_UTF | options, &error, &where, context.get()));
  if (!code) throw std::invalid_argument(message_of(error));
  pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE);  // where there is no JIT, matches are interpreted
  return code;
}

}  // namespace

struct regex::compiled {
  code_ptr code;
  match_context_ptr context{pcre2_match_context_create(nullptr)};
  std::string source;

  compiled(code_ptr c, std::string_view name) : code(std::move(c)), source(name) {
    if (!context) throw std::bad_alloc();
    pcre2_set_match_limit(context.get(), max_steps);
    pcre2_set_heap_limit(context.get(), max_heap_kib);
  }

  /// The first match at or behind `from`; false: there is none.
  bool search(std::string_view text, size_t from, pcre2_match_data* data, text_range& found) const {
    auto rc = pcre2_match(code.get(), units(text), text.size(), from, PCRE2_NO_UTF_CHECK, data, context.get());
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
      rc = pcre2_match(
          code.get(), units(text), text.size(), from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, data, context.get());
    if (rc == PCRE2_ERROR_NOMATCH) return false;
    if (rc < 0) throw tokenizer_error(source + ": the pattern cannot be applied to this text: " + message_of(rc));
    const auto* ends = pcre2_get_ovector_pointer(data);
    found = {ends[0], ends[1]};
    return true;
  }
};

regex regex::from_pattern(std::string_view pattern, std::string_view source) {
  try {
    if (pattern.size() > max_pattern_bytes)
      throw std::invalid_argument("it is longer than " + std::to_string(max_pattern_bytes) + " bytes");
    auto code = compile(pcre2_syntax(pattern), PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C);
    return regex(std::make_shared<const compiled>(std::move(code), source));
  } catch (const std::invalid_argument& e) {
    throw tokenizer_error(std::string(source) + ": the pattern cannot be used: " + e.what());
  }
}

regex regex::from_literal(std::string_view text, std::string_view source) {
  try {
    return regex(std::make_shared<const compiled>(compile(text, PCRE2_LITERAL), source));
  } catch (const std::invalid_argument& e) {
    throw tokenizer_error(std::string(source) + ": the string cannot be used: " + e.what());
  }
}

std::vector<text_range> regex::matches(std::string_view text) const {
  // One for a thread: it holds the bounds of a match, and a text is often searched in many pieces.
  thread_local const match_data_ptr data(pcre2_match_data_create(1, nullptr));
  if (!data) throw std::bad_alloc();
  std::vector<text_range> found;
  text_range next;
  for (size_t from = 0; from <= text.size() && compiled_->search(text, from, data.get(), next);) {
    if (next.begin == next.end && !found.empty() && found.back().end == next.end) {
      from += from < text.size() ? character_at(text, from).size : 1;
      continue;
    }
    found.push_back(next);
    from = next.end;
  }
  return found;
}

}  // namespace corolla::model
