// A value in a JSON file together with its path, so that an error can name the field.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "model/tokenizer.hpp"

namespace corolla::model {

class json_field {
 public:
  /// `value` outlives the field.
  json_field(const nlohmann::json& value, std::string path) : value_(&value), path_(std::move(path)) {}

  const std::string& path() const { return path_; }
  const nlohmann::json& value() const { return *value_; }
  bool is_null() const { return value_->is_null(); }

  [[noreturn]] void fail(const std::string& what) const { throw tokenizer_error(path_ + ": " + what); }

  /// A member; null where an object has none.
  json_field operator[](std::string_view name) const {
    static const nlohmann::json null;
    if (!value_->is_object()) fail("an object is needed");
    const auto found = value_->find(std::string(name));
    return {
        found == value_->end() ? null : *found, path_.empty() ? std::string(name) : path_ + "." + std::string(name)};
  }

  std::vector<json_field> items() const {
    if (!value_->is_array()) fail("a list is needed");
    std::vector<json_field> result;
    result.reserve(value_->size());
    for (const auto& item : *value_) result.emplace_back(item, path_ + "[" + std::to_string(result.size()) + "]");
    return result;
  }

  const std::string& text() const {
    if (!value_->is_string()) fail("a string is needed");
    return value_->get_ref<const std::string&>();
  }

  /// `otherwise` where it is absent.
  bool flag(bool otherwise) const {
    if (is_null()) return otherwise;
    if (!value_->is_boolean()) fail("true or false is needed");
    return value_->get<bool>();
  }

  int64_t number() const {
    if (!value_->is_number_integer() || (value_->is_number_unsigned() && value_->get<uint64_t>() > INT64_MAX))
      fail("a whole number is needed");
    return value_->get<int64_t>();
  }

 private:
  const nlohmann::json* value_;
  std::string path_;
};

}  // namespace corolla::model
