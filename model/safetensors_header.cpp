#include "model/safetensors_header.hpp"

#include <cstdint>
#include <limits>
#include <utility>

#include <nlohmann/json.hpp>

#include "model/file_error.hpp"

namespace corolla::model {

namespace {

using nlohmann::json;

/// nlohmann's SAX interface: {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, "__metadata__":
/// {...}}.
class header_reader {
 public:
  using number_integer_t = json::number_integer_t;
  using number_unsigned_t = json::number_unsigned_t;
  using number_float_t = json::number_float_t;
  using string_t = json::string_t;
  using binary_t = json::binary_t;

  explicit header_reader(const std::string& label) : label_(label) {}

  std::vector<safetensors_entry> take() { return std::move(entries_); }

  bool start_object(size_t) {
    if (where_ == place::outside) {
      where_ = place::header;
    } else if (where_ == place::header) {
      where_ = name_ == "__metadata__" ? place::metadata : place::tensor;
      if (where_ == place::tensor) begin_tensor();
    } else {
      unexpected("an object");
    }
    return true;
  }

  bool key(string_t& text) {
    if (where_ == place::header)
      name_ = text;
    else
      field_ = text;
    return true;
  }

  bool end_object() {
    if (where_ == place::tensor) end_tensor();
    where_ = where_ == place::header ? place::outside : place::header;
    return true;
  }

  bool start_array(size_t) {
    if (where_ == place::tensor && field_ == "shape" && !has_shape_) {
      has_shape_ = true;
      where_ = place::shape;
    } else if (where_ == place::tensor && field_ == "data_offsets" && num_offsets_ == 0) {
      where_ = place::offsets;
    } else {
      unexpected("an array");
    }
    return true;
  }

  bool end_array() {
    if (where_ == place::offsets && num_offsets_ != 2) fail(label_, where() + " has not two numbers");
    where_ = place::tensor;
    return true;
  }

  bool string(string_t& text) {
    if (where_ == place::metadata) return true;
    if (where_ != place::tensor || field_ != "dtype" || !entries_.back().type.empty() || text.empty())
      unexpected("a string");
    entries_.back().type = text;
    return true;
  }

  bool number_unsigned(number_unsigned_t value) {
    if (where_ == place::shape) {
      if (value > uint64_t{std::numeric_limits<int64_t>::max()}) fail(label_, where() + " is too large");
      entries_.back().dims.push_back(static_cast<int64_t>(value));
    } else if (where_ == place::offsets && num_offsets_ < 2) {
      (num_offsets_ == 0 ? entries_.back().begin : entries_.back().end) = value;
      ++num_offsets_;
    } else {
      unexpected("a number");
    }
    return true;
  }

  bool null() { return unexpected("null"); }
  bool boolean(bool) { return unexpected("a boolean"); }
  bool number_integer(number_integer_t) { return unexpected("a negative number"); }
  bool number_float(number_float_t, const string_t&) { return unexpected("a fraction or a number too large"); }
  bool binary(binary_t&) { return unexpected("binary data"); }
  bool parse_error(size_t position, const std::string&, const json::exception&) {
    fail(label_, "the header is no valid JSON at its byte " + std::to_string(position));
  }

 private:
  enum class place { outside, header, metadata, tensor, shape, offsets };

  std::string where() const {
    if (where_ == place::outside) return "the header";
    return "tensor " + in_quotes(name_) + (where_ == place::header ? "" : ", field " + in_quotes(field_));
  }
  [[noreturn]] bool unexpected(const char* what) const {
    fail(label_, where() + ": " + what + " was not expected there");
  }

  void begin_tensor() {
    entries_.emplace_back().name = name_;
    has_shape_ = false;
    num_offsets_ = 0;
  }
  void end_tensor() const {
    const char* missing = entries_.back().type.empty() ? "dtype"
                          : !has_shape_                ? "shape"
                          : num_offsets_ == 0          ? "data_offsets"
                                                       : nullptr;
    if (missing) fail(label_, "tensor " + in_quotes(name_) + " has no " + missing);
  }

  const std::string& label_;
  place where_ = place::outside;
  std::string name_, field_;
  std::vector<safetensors_entry> entries_;
  bool has_shape_ = false;
  int num_offsets_ = 0;
};

}  // namespace

std::vector<safetensors_entry> parse_safetensors_header(std::string_view text, const std::string& label) {
  header_reader reader(label);
  json::sax_parse(text, &reader);
  return reader.take();
}

}  // namespace corolla::model
