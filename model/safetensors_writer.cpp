#include "model/safetensors_writer.hpp"

#include <stdexcept>

#include <nlohmann/json.hpp>

#include "model/encoding.hpp"
#include "model/safetensors.hpp"

namespace corolla::model {

safetensors_writer::safetensors_writer(const std::filesystem::path& path, const std::vector<safetensors_item>& items)
    : file_(path) {
  nlohmann::ordered_json header = {{"__metadata__", {{"format", "pt"}}}};
  uint64_t at = 0;
  for (const auto& item : items) {
    const auto elements = num_elements(item.dims);
    if (!elements) throw std::invalid_argument("no tensor has the shape " + to_string(item.dims));
    const auto end = at + static_cast<uint64_t>(*elements) * size_of(item.type);
    header[item.name] = {
        {"dtype", to_string(plain_encoding(item.type))}, {"shape", item.dims}, {"data_offsets", {at, end}}};
    at = end;
  }
  missing_ = at;
  auto text = header.dump();
  // Data begins at a multiple of eight.
  text.resize((text.size() + 7) / 8 * 8, ' ');
  std::byte length[8];
  for (size_t i = 0; i < sizeof(length); ++i) length[i] = static_cast<std::byte>(uint64_t{text.size()} >> (8 * i));
  file_.write(length);
  file_.write(text);
}

void safetensors_writer::write(std::span<const std::byte> data) {
  if (data.size() > missing_) throw std::logic_error("more data than the header says");
  file_.write(data);
  missing_ -= data.size();
}

void safetensors_writer::commit() {
  if (missing_ > 0) throw std::logic_error("less data than the header says");
  file_.commit();
}

void write_safetensors(const std::filesystem::path& path, const std::map<std::string, tensor>& tensors) {
  std::vector<safetensors_item> items;
  items.reserve(tensors.size());
  for (const auto& [name, t] : tensors) items.push_back({name, t.type(), t.dims()});
  safetensors_writer writer(path, items);
  for (const auto& [name, t] : tensors) writer.write(t.bytes());
  writer.commit();
}

}  // namespace corolla::model
