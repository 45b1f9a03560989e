#include "model/config_fields.hpp"

#include <cmath>
#include <utility>

#include "model/file_checkpoint.hpp"
#include "model/file_error.hpp"

namespace corolla::model {

namespace {

/// Large enough for any model, and small enough that products of two sizes are far from overflow.
constexpr int64_t max_size = 1 << 24;

const nlohmann::json no_fields = nlohmann::json::object();

}  // namespace

config_fields::config_fields(const checkpoint& source)
    : config_fields(config_file(source).string(), "", source.config()) {}

config_fields::config_fields(std::string file, std::string prefix, const nlohmann::json& fields)
    : file_(std::move(file)), prefix_(std::move(prefix)), fields_(&fields) {}

void config_fields::refuse(const std::string& name, const std::string& what) const {
  fail(file_, "config field '" + prefix_ + name + "' " + what);
}

bool config_fields::is_null(const std::string& name) const {
  const auto found = fields_->find(name);
  return found != fields_->end() && found->is_null();
}

bool config_fields::has(const std::string& name) const {
  const auto found = fields_->find(name);
  return found != fields_->end() && !found->is_null();
}

const nlohmann::json& config_fields::at(const std::string& name) const {
  if (!has(name)) refuse(name, "is missing");
  return *fields_->find(name);
}

config_fields config_fields::object(const std::string& name) const {
  if (!has(name)) return {file_, prefix_ + name + '.', no_fields};
  const auto& value = at(name);
  if (!value.is_object()) refuse(name, "is no object");
  return {file_, prefix_ + name + '.', value};
}

int64_t config_fields::size(std::initializer_list<const char*> names) const {
  const auto* name = *names.begin();
  for (const auto* candidate : names) {
    if (!has(candidate)) continue;
    name = candidate;
    break;
  }
  const auto& value = at(name);
  if (!value.is_number_integer()) refuse(name, "is no integer");
  const bool fits = value.is_number_unsigned() ? value.get<uint64_t>() <= max_size : value.get<int64_t>() <= max_size;
  if (!fits || value.get<int64_t>() < 1) refuse(name, "is not between 1 and " + std::to_string(max_size));
  return value.get<int64_t>();
}

int64_t config_fields::size_or(const char* name, int64_t otherwise) const {
  return has(name) ? size({name}) : otherwise;
}

double config_fields::positive(const char* name) const {
  const auto& value = at(name);
  if (!value.is_number()) refuse(name, "is no number");
  const auto number = value.get<double>();
  if (!std::isfinite(number) || number <= 0) refuse(name, "is not a positive number");
  return number;
}

double config_fields::positive_or(const char* name, double otherwise) const {
  return has(name) ? positive(name) : otherwise;
}

bool config_fields::flag_or(const char* name, bool otherwise) const {
  if (!has(name)) return otherwise;
  const auto& value = at(name);
  if (!value.is_boolean()) refuse(name, "is neither true nor false");
  return value.get<bool>();
}

std::string config_fields::text(const char* name) const {
  const auto& value = at(name);
  if (!value.is_string()) refuse(name, "is no text");
  return value.get<std::string>();
}

std::string config_fields::text_or(const char* name, const std::string& otherwise) const {
  return has(name) ? text(name) : otherwise;
}

}  // namespace corolla::model
