// Digests that were computed before, in the user's cache folder: corolla/digests/<hash of config and file stamps>.json.
#include <algorithm>
#include <cstdlib>
#include <map>
#include <stdexcept>
#include <string>
#include <system_error>

#include <nlohmann/json.hpp>

#include "model/atomic_file.hpp"
#include "model/digest.hpp"
#include "model/json_file.hpp"
#include "model/sha256.hpp"

namespace corolla::model {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// Counts changes of the cache file and of what digest.hpp says is hashed.
constexpr int format = 1;
constexpr uint64_t max_cache_bytes = 16u << 20;

/// Empty where the user has no such folder.
fs::path cache_folder() {
  if (const auto* xdg = std::getenv("XDG_CACHE_HOME"); xdg && fs::path(xdg).is_absolute())
    return fs::path(xdg) / "corolla" / "digests";
  if (const auto* home = std::getenv("HOME"); home && *home) return fs::path(home) / ".cache" / "corolla" / "digests";
  return {};
}

/// Every file of the model once, by its label.
std::map<std::string, file_stamp> stamps(const digest_input& input) {
  std::map<std::string, file_stamp> result;
  for (const auto& t : input.tensors) result.emplace(t.file->label(), t.file->stamp());
  return result;
}

std::string key_of(const digest_input& input) {
  sha256 hash;
  hash.text("corolla digest cache");
  hash.u64(format);
  hash.text(canonical_config(input.config));
  hash.u64(input.num_blocks);
  for (const auto& [label, stamp] : stamps(input)) {
    hash.text(fs::absolute(label).lexically_normal().string());
    hash.u64(stamp.size);
    hash.u64(static_cast<uint64_t>(stamp.modified_ns));
  }
  return to_hex(hash.finish());
}

digest parse_digest(const json& text) {
  const auto& hex = text.get_ref<const std::string&>();
  digest d{};
  const auto value = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    throw std::invalid_argument("no hexadecimal digit");
  };
  if (hex.size() != 2 * d.size()) throw std::invalid_argument("no digest");
  for (size_t i = 0; i < d.size(); ++i) d[i] = static_cast<uint8_t>(value(hex[2 * i]) << 4 | value(hex[2 * i + 1]));
  return d;
}

/// nullopt for a file that is not there, is broken or contradicts itself.
std::optional<model_digests> read(const fs::path& path, uint32_t num_blocks) {
  try {
    const auto stored = read_json_object(path, max_cache_bytes);
    if (stored.at("format") != format) return std::nullopt;
    model_digests result;
    result.ends = parse_digest(stored.at("ends"));
    for (const auto& block : stored.at("blocks")) result.blocks.push_back(parse_digest(block));
    result.model = parse_digest(stored.at("model"));
    if (result.blocks.size() != num_blocks || result.model != model_digest(result)) return std::nullopt;
    return result;
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

/// Time stamps are coarse (two seconds on some file systems): a file that was written a moment ago could change again
/// under the same stamp.
bool is_settled(const digest_input& input, const atomic_file& probe) {
  constexpr int64_t coarse_ns = 2'000'000'000;
  const auto now = mapped_file(probe.temporary()).stamp().modified_ns;
  const auto all = stamps(input);
  return std::all_of(all.begin(), all.end(), [=](const auto& s) { return s.second.modified_ns < now - coarse_ns; });
}

void write(const fs::path& path, const digest_input& input, const model_digests& digests) {
  try {
    fs::create_directories(path.parent_path());
    atomic_file file(path);
    json stored = {{"format", format}, {"model", to_hex(digests.model)}, {"ends", to_hex(digests.ends)}};
    for (const auto& block : digests.blocks) stored["blocks"].push_back(to_hex(block));
    file.write(stored.dump(1));
    if (is_settled(input, file)) file.commit();
  } catch (const std::exception&) {
    // The next run computes them again.
  }
}

}  // namespace

model_digests cached_digests(const digest_input& input, const digest_progress& progress) {
  const auto folder = cache_folder();
  const auto path = folder / (key_of(input) + ".json");
  for (const auto& t : input.tensors) t.file->check_unchanged();
  if (!folder.empty())
    if (auto known = read(path, input.num_blocks)) return *known;
  auto digests = compute_digests(input, progress);
  if (!folder.empty()) write(path, input, digests);
  return digests;
}

}  // namespace corolla::model
