#include "model/family.hpp"

#include <stdexcept>
#include <string_view>

#include "model/bloom.hpp"
#include "model/config_fields.hpp"
#include "model/file_error.hpp"
#include "model/llama.hpp"

namespace corolla::model {

namespace {

struct known_family {
  std::string_view model_type;
  std::unique_ptr<family> (*read)(const checkpoint&);
};

constexpr known_family families[] = {
    {"bloom", read_bloom},
    {"llama", read_llama},
    {"mistral", read_mistral},
};

}  // namespace

std::unique_ptr<family> read_family(const checkpoint& source) {
  const config_fields config(source);
  const auto model_type = config.text("model_type");
  std::string known;
  for (const auto& f : families) {
    if (f.model_type == model_type) return f.read(source);
    known += (known.empty() ? "" : ", ") + std::string(f.model_type);
  }
  throw std::invalid_argument(
      config.file() + ": config field 'model_type' is " + in_quotes(model_type) + "; known are " + known);
}

}  // namespace corolla::model
