#include "model/digest.hpp"

#include <chrono>
#include <cstdlib>
#include <fstream>

#include <boost/test/unit_test.hpp>

#include "model/safetensors.hpp"
#include "model/sha256.hpp"
#include "tests/model/bytes.hpp"
#include "tests/model/folder_copies.hpp"
#include "tests/support/temp_dir.hpp"

using namespace corolla::model;
using namespace corolla::tests;
namespace fs = std::filesystem;

namespace {

/// Sends the cache to a folder of the test.
struct with_own_cache {
  with_own_cache() { ::setenv("XDG_CACHE_HOME", cache.path().c_str(), 1); }
  ~with_own_cache() { ::unsetenv("XDG_CACHE_HOME"); }

  std::vector<fs::path> cached() const {
    std::vector<fs::path> files;
    if (fs::exists(cache / "corolla/digests"))
      for (const auto& e : fs::directory_iterator(cache / "corolla/digests")) files.push_back(e.path());
    return files;
  }

  temp_dir cache, dir;
};

model_digests digests_of(const fs::path& folder) {
  return checkpoint::open(folder)->digests();
}

bool same(const model_digests& a, const model_digests& b) {
  return a.model == b.model && a.ends == b.ends && a.blocks == b.blocks;
}

/// A copy old enough that its time stamp says which content it has.
void copy_old(const fs::path& from, const fs::path& to) {
  write_renamed(from, to, [](const std::string& name) { return name; });
  fs::last_write_time(to / "model.safetensors", fs::file_time_type::clock::now() - std::chrono::hours(1));
}

void change_byte(const fs::path& folder, const std::string& tensor) {
  const safetensors_file file(folder / "model.safetensors");
  const auto at = file.find(tensor)->data.data() - file.file()->bytes().data();
  std::fstream out(folder / "model.safetensors", std::ios::in | std::ios::out | std::ios::binary);
  out.seekg(at);
  const auto byte = out.get();
  out.seekp(at);
  out.put(static_cast<char>(byte ^ 1));
}

/// Whether asking for the digests reads the data.
bool reads_data(const fs::path& folder) {
  uint64_t seen = 0;
  checkpoint::open(folder)->digests([&](uint64_t done, uint64_t) { seen = done; });
  return seen > 0;
}

}  // namespace

BOOST_AUTO_TEST_CASE(sha256_is_the_standards) {
  sha256 hash;
  hash.bytes(bytes_of("abc"));
  BOOST_TEST(to_hex(hash.finish()) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  digest d{};
  d[0] = 0xa5;
  BOOST_TEST(to_hex(d, 3) == "a50");
}

BOOST_AUTO_TEST_CASE(the_digest_is_the_one_that_is_documented) {
  sha256 block, ends, model;
  const std::vector<float> ones = {1};
  const auto bytes = std::as_bytes(std::span(ones));
  block.text("corolla block 1"), block.text("h.0.w"), block.text("F32"), block.u64(1), block.u64(1), block.u64(4);
  block.bytes(bytes);
  ends.text("corolla ends 1"), ends.text(R"({"n_layer":1})");
  ends.text("ln_f.weight"), ends.text("F32"), ends.u64(1), ends.u64(1), ends.u64(4), ends.bytes(bytes);
  model.text("corolla model 1");
  const auto block_digest = block.finish(), ends_digest = ends.finish();
  model.add(ends_digest), model.u64(1), model.add(block_digest);

  temp_dir dir;
  dir.write("config.json", R"({"torch_dtype": "float32", "n_layer": 1})");
  const auto t = tensor::of<float>({1}, ones);
  write_safetensors(dir / "model.safetensors", {{"transformer.h.0.w", t}, {"transformer.ln_f.weight", t}});
  const auto d = digests_of(dir.path());
  BOOST_TEST(to_hex(d.blocks.at(0)) == to_hex(block_digest));
  BOOST_TEST(to_hex(d.ends) == to_hex(ends_digest));
  BOOST_TEST(to_hex(d.model) == to_hex(model.finish()));
}

BOOST_FIXTURE_TEST_CASE(shards_prefixes_and_volatile_config_keys_do_not_count, with_own_cache) {
  const auto whole = digests_of(golden_folder("llama"));
  BOOST_TEST(whole.blocks.size() == 4u);
  temp_dir shards, renamed;
  write_shards(golden_folder("llama"), shards.path());
  BOOST_TEST(same(digests_of(shards.path()), whole));
  write_renamed(golden_folder("llama"), renamed.path(), [](const std::string& name) {
    return name.starts_with("model.") ? name.substr(6) : name;
  });
  auto config = nlohmann::json::parse(std::ifstream(renamed / "config.json"));
  config["_name_or_path"] = "somewhere";
  config.erase("transformers_version");
  renamed.write("config.json", config.dump(4));
  BOOST_TEST(same(digests_of(renamed.path()), whole));
  config["rope_theta"] = 20000.0;
  renamed.write("config.json", config.dump());
  const auto other = digests_of(renamed.path());
  BOOST_TEST((other.model != whole.model && other.ends != whole.ends && other.blocks == whole.blocks));
}

BOOST_FIXTURE_TEST_CASE(one_changed_byte_changes_its_blocks_digest_and_the_models_alone, with_own_cache) {
  copy_old(golden_folder("llama"), dir.path());
  const auto before = digests_of(dir.path());
  change_byte(dir.path(), "model.layers.2.mlp.up_proj.weight");
  const auto block_changed = digests_of(dir.path());
  BOOST_TEST((block_changed.model != before.model && block_changed.ends == before.ends));
  for (size_t i = 0; i < 4; ++i) BOOST_TEST((block_changed.blocks[i] == before.blocks[i]) == (i != 2));
  change_byte(dir.path(), "lm_head.weight");
  const auto both_changed = digests_of(dir.path());
  BOOST_TEST((both_changed.ends != before.ends && both_changed.blocks == block_changed.blocks));
}

BOOST_FIXTURE_TEST_CASE(a_tensors_name_type_and_shape_count, with_own_cache) {
  const auto digest_with = [&](const std::string& name, const tensor& t) {
    dir.write("config.json", R"({"n_layer": 1})");
    write_safetensors(dir / "model.safetensors", {{name, t}});
    return digests_of(dir.path()).blocks.at(0);
  };
  const tensor t(dtype::float32, {2, 2}, std::vector<std::byte>(16));
  const auto base = digest_with("h.0.a", t);
  BOOST_TEST((digest_with("h.0.a", t) == base));
  BOOST_TEST((digest_with("h.0.b", t) != base));
  BOOST_TEST((digest_with("h.0.a", t.reshaped({4})) != base));
  BOOST_TEST((digest_with("h.0.a", tensor(dtype::int32, {2, 2}, std::vector<std::byte>(16))) != base));
}

BOOST_FIXTURE_TEST_CASE(digests_are_kept_and_a_changed_file_is_read_again, with_own_cache) {
  copy_old(golden_folder("bloom"), dir.path());
  const auto first = digests_of(dir.path());
  BOOST_TEST(cached().size() == 1u);
  BOOST_TEST(!reads_data(dir.path()));
  BOOST_TEST(same(digests_of(dir.path()), first));
  change_byte(dir.path(), "transformer.ln_f.weight");
  BOOST_TEST(reads_data(dir.path()));
  BOOST_TEST((digests_of(dir.path()).ends != first.ends));
}

BOOST_FIXTURE_TEST_CASE(digests_of_a_file_written_a_moment_ago_are_not_kept, with_own_cache) {
  write_renamed(golden_folder("bloom"), dir.path(), [](const std::string& name) { return name; });
  digests_of(dir.path());
  BOOST_TEST(cached().empty());
}

BOOST_FIXTURE_TEST_CASE(a_cache_that_is_broken_or_cannot_be_written_costs_time_only, with_own_cache) {
  copy_old(golden_folder("bloom"), dir.path());
  const auto right = digests_of(dir.path());
  BOOST_REQUIRE(cached().size() == 1u);
  const auto path = cached().front();
  auto stored = nlohmann::json::parse(std::ifstream(path));
  auto forged = stored, shorter = stored, newer = stored;
  forged["blocks"][0] = to_hex(digest{});
  shorter["blocks"].erase(0);
  newer["format"] = 2;
  for (const auto& content :
       {std::string(), std::string("{"), std::string("{}"), forged.dump(), shorter.dump(), newer.dump(),
        std::string(R"({"format":1,"ends":7,"blocks":{},"model":"zz"})")}) {
    std::ofstream(path) << content;
    BOOST_TEST(reads_data(dir.path()), content);
    BOOST_TEST(!reads_data(dir.path()), content);
    BOOST_TEST(same(digests_of(dir.path()), right));
  }
  fs::remove_all(cache / "corolla");
  cache.write("corolla", "a file where the folder should be");
  BOOST_TEST(same(digests_of(dir.path()), right));
}

BOOST_FIXTURE_TEST_CASE(progress_grows_to_all_bytes, with_own_cache) {
  uint64_t last = 0, total = 0;
  checkpoint::open(golden_folder("llama"))->digests([&](uint64_t done, uint64_t all) {
    BOOST_TEST((done >= last && done <= all));
    last = done, total = all;
  });
  const safetensors_file file(golden_folder("llama") / "model.safetensors");
  uint64_t expected = 0;
  for (const auto& t : file.tensors()) expected += t.data.size();
  BOOST_TEST((last == expected && total == expected));
}

BOOST_FIXTURE_TEST_CASE(a_span_has_the_digest_of_its_blocks, with_own_cache) {
  const auto d = digests_of(golden_folder("llama"));
  BOOST_TEST((of_blocks(d, {0, 2}) == of_blocks(d, {0, 2})));
  BOOST_TEST((of_blocks(d, {0, 2}) != of_blocks(d, {0, 3})));
  BOOST_TEST((of_blocks(d, {0, 2}) != of_blocks(d, {1, 2})));
  BOOST_CHECK_THROW(of_blocks(d, {2, 5}), std::out_of_range);
  BOOST_CHECK_THROW(of_blocks(d, {2, 2}), std::out_of_range);
}

BOOST_FIXTURE_TEST_CASE(a_file_that_changes_under_way_is_refused, with_own_cache) {
  copy_old(golden_folder("llama"), dir.path());
  const auto c = checkpoint::open(dir.path());
  fs::resize_file(dir / "model.safetensors", 100);
  CHECK_REFUSED(c->digests(), "model.safetensors", "was changed");
}

BOOST_AUTO_TEST_CASE(the_block_of_a_tensor_is_in_its_name) {
  BOOST_TEST((block_of("h.3.ln_1.weight") == 3u && block_of("layers.21.mlp.up_proj.weight") == 21u));
  for (const auto* name : {"ln_f.weight", "h.", "h.x.w", "h.3", "h.-1.w", "h.99999999999.w", "layers..w", "xh.3.w"})
    BOOST_TEST(!block_of(name), name);
}
