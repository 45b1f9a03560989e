#include "model/tokenizer_utf8.hpp"

#include <array>
#include <cstdint>

namespace corolla::model {

namespace {

uint8_t byte_at(std::string_view text, size_t at) {
  return static_cast<uint8_t>(text[at]);
}

/// What may follow a lead byte: how many bytes, and the range of the first of them.
struct followers {
  size_t count = 0;
  uint8_t low = 0x80;
  uint8_t high = 0xBF;
};

followers after(uint8_t lead) {
  if (lead >= 0xC2 && lead <= 0xDF) return {1};
  if (lead >= 0xE0 && lead <= 0xEF)
    return {2, static_cast<uint8_t>(lead == 0xE0 ? 0xA0 : 0x80), static_cast<uint8_t>(lead == 0xED ? 0x9F : 0xBF)};
  if (lead >= 0xF0 && lead <= 0xF4)
    return {3, static_cast<uint8_t>(lead == 0xF0 ? 0x90 : 0x80), static_cast<uint8_t>(lead == 0xF4 ? 0x8F : 0xBF)};
  return {0};
}

constexpr size_t alphabet_end = 0x100 + 68;  // 68 bytes are not printable and have letters from U+0100 on

struct byte_alphabet {
  std::array<char32_t, 256> letters{};
  std::array<int16_t, alphabet_end> bytes{};

  byte_alphabet() {
    bytes.fill(-1);
    char32_t next = 0x100;
    for (unsigned b = 0; b < 256; ++b) {
      const bool printable = (b >= '!' && b <= '~') || (b >= 0xA1 && b != 0xAD);
      letters[b] = printable ? static_cast<char32_t>(b) : next++;
      bytes[letters[b]] = static_cast<int16_t>(b);
    }
  }
};

const byte_alphabet alphabet;

}  // namespace

utf8_character character_at(std::string_view text, size_t at) {
  using form = utf8_character::form;
  const auto lead = byte_at(text, at);
  if (lead < 0x80) return {lead, 1, form::whole};
  const auto expect = after(lead);
  if (expect.count == 0) return {};
  char32_t code = lead & (0x3Fu >> expect.count);
  for (size_t i = 1; i <= expect.count; ++i) {
    if (at + i == text.size()) return {U'\uFFFD', i, form::cut};
    const auto b = byte_at(text, at + i);
    if (b < (i == 1 ? expect.low : 0x80) || b > (i == 1 ? expect.high : 0xBF)) return {U'\uFFFD', i, form::broken};
    code = (code << 6) | (b & 0x3Fu);
  }
  return {code, expect.count + 1, form::whole};
}

bool is_utf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const auto c = character_at(text, at);
    if (c.is != utf8_character::form::whole) return false;
    at += c.size;
  }
  return true;
}

std::string repaired_utf8(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const auto c = character_at(text, at);
    if (c.is == utf8_character::form::whole)
      result.append(text, at, c.size);
    else
      append_utf8(U'\uFFFD', result);
    at += c.size;
  }
  return result;
}

void append_utf8(char32_t code, std::string& text) {
  const auto put = [&text](char32_t byte) { text.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | (code >> 6));
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | (code >> 12));
    put(0x80 | ((code >> 6) & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | (code >> 18));
    put(0x80 | ((code >> 12) & 0x3F));
    put(0x80 | ((code >> 6) & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

std::string to_byte_alphabet(std::string_view bytes) {
  std::string result;
  result.reserve(bytes.size() * 2);
  for (const char b : bytes) append_utf8(alphabet.letters[static_cast<uint8_t>(b)], result);
  return result;
}

void append_from_byte_alphabet(std::string_view token, std::string& bytes) {
  const auto before = bytes.size();
  for (size_t at = 0; at < token.size();) {
    const auto c = character_at(token, at);
    if (c.is != utf8_character::form::whole || c.code >= alphabet_end || alphabet.bytes[c.code] < 0) {
      bytes.resize(before);
      bytes.append(token);
      return;
    }
    bytes.push_back(static_cast<char>(alphabet.bytes[c.code]));
    at += c.size;
  }
}

}  // namespace corolla::model
