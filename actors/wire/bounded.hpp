// Parts that wire structs are made of: each knows its limit and checks it before anything is allocated.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <cereal/cereal.hpp>

#include "actors/printable.hpp"

namespace corolla::actors::wire {

/// What a decoder throws; `decode` turns it into nullopt.
struct malformed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// At most `Limit` elements of `T`; travels as a uint32 count and the elements.
template <class T, uint32_t Limit>
struct bounded_vector {
  std::vector<T> values;

  template <class Archive>
  void save(Archive& ar) const {
    if (values.size() > Limit) throw malformed("a list is longer than its limit");
    ar(static_cast<uint32_t>(values.size()));
    if constexpr (std::is_same_v<T, uint8_t> || std::is_same_v<T, std::byte>) {
      ar(cereal::binary_data(values.data(), values.size()));
    } else {
      for (auto& value : values) ar(value);
    }
  }
  template <class Archive>
  void load(Archive& ar) {
    uint32_t count = 0;
    ar(count);
    if (count > Limit) throw malformed("a list is longer than its limit");
    values.resize(count);
    if constexpr (std::is_same_v<T, uint8_t> || std::is_same_v<T, std::byte>) {
      ar(cereal::binary_data(values.data(), values.size()));
    } else {
      for (auto& value : values) ar(value);
    }
  }
  bool operator==(const bounded_vector&) const = default;
};

/// At most `Limit` bytes of text, for people: what is read of it is printable.
template <uint32_t Limit>
struct bounded_string {
  std::string value;

  template <class Archive>
  void save(Archive& ar) const {
    if (value.size() > Limit) throw malformed("a text is longer than its limit");
    ar(static_cast<uint32_t>(value.size()), cereal::binary_data(value.data(), value.size()));
  }
  template <class Archive>
  void load(Archive& ar) {
    uint32_t count = 0;
    ar(count);
    if (count > Limit) throw malformed("a text is longer than its limit");
    value.resize(count);
    ar(cereal::binary_data(value.data(), value.size()));
    value = printable(std::move(value));
  }
  bool operator==(const bounded_string&) const = default;
};

/// Exactly `N` bytes: ids, digests, keys.
template <size_t N>
struct fixed_bytes {
  std::array<uint8_t, N> bytes{};

  template <class Archive>
  void serialize(Archive& ar) {
    ar(cereal::binary_data(bytes.data(), bytes.size()));
  }
  bool operator==(const fixed_bytes&) const = default;
};

/// An enum that travels as one byte and is `Last` at the most (and not below `First`).
template <class Enum, Enum First, Enum Last>
struct checked_enum {
  Enum value = First;

  template <class Archive>
  void save(Archive& ar) const {
    ar(static_cast<uint8_t>(value));
  }
  template <class Archive>
  void load(Archive& ar) {
    uint8_t number = 0;
    ar(number);
    if (number < static_cast<uint8_t>(First) || number > static_cast<uint8_t>(Last))
      throw malformed("a number names nothing that is known");
    value = static_cast<Enum>(number);
  }
  bool operator==(const checked_enum&) const = default;
};

}  // namespace corolla::actors::wire
