// Fields of a model's config, checked: whatever is missing, of another type or out of range is an error that names it.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>

#include <nlohmann/json.hpp>

#include "model/checkpoint.hpp"

namespace corolla::model {

class config_fields {
 public:
  /// The whole config.  `source` must outlive it.
  explicit config_fields(const checkpoint& source);

  /// The object under `name`; a null or a missing one has no fields.  Throws checkpoint_error, as all below do.
  config_fields object(const std::string& name) const;
  /// Whether it is there and null.
  bool is_null(const std::string& name) const;
  /// False if it is missing or null.
  bool has(const std::string& name) const;

  /// A size: 1 to 2^24.  Of several names the first that is there.
  int64_t size(std::initializer_list<const char*> names) const;
  int64_t size_or(const char* name, int64_t otherwise) const;
  /// A positive, finite number.
  double positive(const char* name) const;
  double positive_or(const char* name, double otherwise) const;
  bool flag_or(const char* name, bool otherwise) const;
  std::string text(const char* name) const;
  std::string text_or(const char* name, const std::string& otherwise) const;

  /// Throws checkpoint_error: "FILE: config field 'NAME' WHAT".
  [[noreturn]] void refuse(const std::string& name, const std::string& what) const;
  const std::string& file() const { return file_; }

 private:
  config_fields(std::string file, std::string prefix, const nlohmann::json& fields);
  const nlohmann::json& at(const std::string& name) const;

  std::string file_, prefix_;
  const nlohmann::json* fields_;
};

}  // namespace corolla::model
