#include "model/safetensors.hpp"

#include <fstream>

#include <boost/test/unit_test.hpp>

#include "model/safetensors_writer.hpp"
#include "tests/model/bytes.hpp"
#include "tests/support/temp_dir.hpp"

using namespace corolla::model;
using namespace corolla::tests;

namespace {

std::string file_of(std::string_view header, size_t data_bytes) {
  std::string file(8, '\0');
  for (size_t i = 0; i < 8; ++i) file[i] = static_cast<char>(uint64_t{header.size()} >> (8 * i));
  return file.append(header).append(data_bytes, '\x01');
}

auto parse(std::string_view file) {
  return parse_safetensors(bytes_of(file), "x.safetensors");
}
auto parse(std::string_view header, size_t data_bytes) {
  return parse(file_of(header, data_bytes));
}

constexpr std::string_view two_tensors =
    R"({"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[2,3],"data_offsets":[4,28]},)"
    R"("a":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}  )";

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

const std::filesystem::path golden = std::filesystem::path(COROLLA_SOURCE_DIR) / "tests/golden/tiny";

}  // namespace

BOOST_AUTO_TEST_CASE(entries_are_sorted_and_their_offsets_count_from_the_beginning_of_the_file) {
  const auto entries = parse(two_tensors, 28);
  BOOST_REQUIRE(entries.size() == 2u);
  const auto data = 8 + two_tensors.size();
  BOOST_TEST((entries[0].name == "a" && entries[0].type == "BF16" && entries[0].begin == data));
  BOOST_TEST((entries[1].name == "b" && entries[1].begin == data + 4 && entries[1].end == data + 28));
  BOOST_TEST(entries[1].dims == (shape{2, 3}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_file_without_tensors_is_a_file) {
  BOOST_TEST(parse("{}", 0).empty());
}

BOOST_AUTO_TEST_CASE(a_file_cut_short_anywhere_is_refused) {
  const auto file = file_of(two_tensors, 28);
  for (size_t size = 0; size < file.size(); ++size)
    CHECK_REFUSED(parse(std::string_view(file).substr(0, size)), "x.safetensors", " ");
  BOOST_TEST(parse(file).size() == 2u);
}

BOOST_AUTO_TEST_CASE(a_flipped_bit_anywhere_in_the_header_is_refused_or_leaves_every_tensor_inside_the_file) {
  auto file = file_of(two_tensors, 28);
  size_t refused = 0;
  for (size_t bit = 0; bit < 8 * (8 + two_tensors.size()); ++bit) {
    const auto mask = static_cast<char>(1 << (bit % 8));
    file[bit / 8] = static_cast<char>(file[bit / 8] ^ mask);
    try {
      for (const auto& e : parse(file)) BOOST_REQUIRE((e.begin <= e.end && e.end <= file.size()));
    } catch (const checkpoint_error&) {
      ++refused;
    }
    file[bit / 8] = static_cast<char>(file[bit / 8] ^ mask);
  }
  BOOST_TEST(refused > two_tensors.size());
}

BOOST_AUTO_TEST_CASE(a_header_length_that_lies_is_refused_before_anything_is_read) {
  auto file = file_of("{}", 0);
  file[7] = '\x10';  // 2^60 bytes
  CHECK_REFUSED(parse(file), "x.safetensors", "claims a header of 1152921504606846978 bytes");
  file[7] = 0, file[1] = 1;
  CHECK_REFUSED(parse(file), "x.safetensors", "may be truncated");
}

BOOST_AUTO_TEST_CASE(sizes_that_overflow_lie_or_leave_the_file_are_refused) {
  const auto refused = [](std::string_view fields, size_t data_bytes, const char* why) {
    CHECK_REFUSED(parse("{\"w\":{" + std::string(fields) + "}}", data_bytes), "tensor 'w'", why);
  };
  refused(R"("dtype":"F32","shape":[1152921504606846976],"data_offsets":[0,4])", 4, "too many elements");
  refused(R"("dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0])", 0, "too many elements");
  refused(R"("dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,4])", 4, "too large");
  refused(R"("dtype":"F32","shape":[36893488147419103232],"data_offsets":[0,4])", 4, "too large");
  refused(R"("dtype":"F32","shape":[-1],"data_offsets":[0,4])", 4, "negative");
  refused(R"("dtype":"F32","shape":[1.5],"data_offsets":[0,4])", 4, "fraction");
  refused(R"("dtype":"F32","shape":[2],"data_offsets":[0,4])", 4, "4 bytes for F32 [2]");
  refused(R"("dtype":"F32","shape":[2],"data_offsets":[0,8])", 4, "ends at byte 8 of 4");
  refused(R"("dtype":"F32","shape":[1],"data_offsets":[4,0])", 4, "backwards");
  refused(R"("dtype":"F32","shape":[1],"data_offsets":[0,18446744073709551615])", 4, "ends at byte");
  refused(R"("dtype":"F32","shape":[1],"data_offsets":[4,8])", 8, "begins at byte 4");
  refused(R"("dtype":"F99","shape":[1],"data_offsets":[0,4])", 4, "unknown dtype 'F99'");
}

BOOST_AUTO_TEST_CASE(a_header_that_is_not_as_the_format_says_is_refused) {
  for (const std::string_view header :
       {R"()",
        R"([])",
        R"(7)",
        R"("x")",
        R"(null)",
        R"({"w":1})",
        R"({"w":[]})",
        R"({"w":{}})",
        R"({"w":{"dtype":"F32"}})",
        R"({"w":{"dtype":"F32","shape":[0]}})",
        R"({"w":{"dtype":"F32","data_offsets":[0,0]}})",
        R"({"w":{"shape":[0],"data_offsets":[0,0]}})",
        R"({"w":{"dtype":"F32","shape":[0],"data_offsets":[0]}})",
        R"({"w":{"dtype":"F32","shape":[0],"data_offsets":[0,0,0]}})",
        R"({"w":{"dtype":"F32","shape":[[0]],"data_offsets":[0,0]}})",
        R"({"w":{"dtype":"F32","shape":[0],"data_offsets":[0,0],"extra":1}})",
        R"({"w":{"dtype":"F32","dtype":"F32","shape":[0],"data_offsets":[0,0]}})",
        R"({"w":{"dtype":"F32","shape":[0],"shape":[0],"data_offsets":[0,0]}})",
        R"({"w":{"dtype":"F32","shape":{},"data_offsets":[0,0]}})",
        R"({"__metadata__":{"a":1}})",
        R"({"__metadata__":[]})",
        R"({"__metadata__":{"a":{}}})",
        R"({} {})",
        R"({"w":)",
        "{\"\xff\":1}"})
    CHECK_REFUSED(parse(header, 0), "x.safetensors", " ");
}

BOOST_AUTO_TEST_CASE(a_deeply_nested_header_costs_nothing) {
  CHECK_REFUSED(parse("{\"w\":" + std::string(1u << 20, '['), 0), "x.safetensors", "an array was not expected");
}

BOOST_AUTO_TEST_CASE(tensors_that_overlap_leave_holes_or_appear_twice_are_refused) {
  const auto both = [](const char* first, const char* a, const char* second, const char* b) {
    const auto one = [](const char* name, const char* offsets) {
      return std::string("\"") + name + R"(":{"dtype":"U8","shape":[4],"data_offsets":)" + offsets + "}";
    };
    return "{" + one(first, a) + "," + one(second, b) + "}";
  };
  BOOST_TEST(parse(both("a", "[0,4]", "b", "[4,8]"), 8).size() == 2u);
  CHECK_REFUSED(parse(both("a", "[0,4]", "b", "[2,6]"), 8), "tensor 'b'", "begins at byte 2");
  CHECK_REFUSED(parse(both("a", "[0,4]", "b", "[0,4]"), 4), "x.safetensors", "begins at byte 0");
  CHECK_REFUSED(parse(both("a", "[0,4]", "b", "[5,9]"), 9), "tensor 'b'", "begins at byte 5");
  CHECK_REFUSED(parse(both("a", "[0,4]", "b", "[4,8]"), 9), "x.safetensors", "1 bytes at the end belong to no tensor");
  CHECK_REFUSED(parse(both("a", "[0,4]", "a", "[4,8]"), 8), "tensor 'a'", "twice");
}

BOOST_AUTO_TEST_CASE(what_an_error_quotes_is_fit_to_be_shown) {
  const auto sentence = error_of([] { parse(R"({"\u001b[31m)" + std::string(500, 'x') + R"(":1})", 0); });
  BOOST_TEST(sentence.find('\x1b') == std::string::npos);
  BOOST_TEST(sentence.size() < 250u);
}

BOOST_AUTO_TEST_CASE(what_was_written_is_read_in_every_type) {
  temp_dir dir;
  const std::vector<float> numbers = {1, -2.5f, 3, 0, 100, -7};
  const std::vector<int64_t> ids = {-1, int64_t{1} << 40};
  const auto w = tensor::of<float>({2, 3}, numbers);
  // An odd number of bytes first: what follows is not aligned in the file.
  const std::map<std::string, tensor> tensors = {
      {"a", tensor(dtype::uint8, {3}, std::vector<std::byte>(3, std::byte{7}))},
      {"bf16", w.to(dtype::bfloat16)},
      {"empty", tensor()},
      {"f16", w.to(dtype::float16)},
      {"f32", w},
      {"ids", tensor::of<int64_t>({2}, ids)},
      {"scalar", tensor(dtype::int32, {}, std::vector<std::byte>(4))}};
  write_safetensors(dir / "x.safetensors", tensors);
  const safetensors_file file(dir / "x.safetensors");
  BOOST_TEST(file.tensors().size() == tensors.size());
  for (const auto& [name, t] : tensors) {
    const auto read = file.load(name);
    BOOST_TEST((read.type() == t.type() && read.dims() == t.dims()), name);
    BOOST_TEST(
        (std::vector(read.bytes().begin(), read.bytes().end()) == std::vector(t.bytes().begin(), t.bytes().end())),
        name);
  }
  for (const auto* name : {"bf16", "f16", "f32"}) {
    const auto read = file.load(name, dtype::float32);
    BOOST_TEST(read.as<float>() == std::span<const float>(numbers), boost::test_tools::per_element());
  }
  BOOST_TEST((file.load("f32", dtype::bfloat16).bytes()[2] == tensors.at("bf16").bytes()[2]));
  CHECK_REFUSED(file.load("ids", dtype::float32), "tensor 'ids'", "int64 and cannot be loaded as float32");
  CHECK_REFUSED(file.load("none"), "x.safetensors", "no tensor 'none'");
}

BOOST_AUTO_TEST_CASE(types_that_cannot_be_loaded_are_listed_and_refused_when_asked_for) {
  temp_dir dir;
  const auto path =
      dir.write("x.safetensors", file_of(R"({"mask":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]}})", 2));
  const safetensors_file file(path);
  BOOST_TEST(file.tensors().size() == 1u);
  CHECK_REFUSED(file.load("mask"), "tensor 'mask'", "'BOOL'");
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_written_leaves_the_old_one_and_no_rest) {
  temp_dir dir;
  write_safetensors(dir / "x.safetensors", {{"a", tensor()}});
  const auto before = read_file(dir / "x.safetensors");
  {
    safetensors_writer writer(dir / "x.safetensors", {{"b", dtype::uint8, {4}}});
    const std::vector<std::byte> data(3);
    writer.write(data);
    BOOST_CHECK_THROW(writer.write(data), std::logic_error);
    BOOST_CHECK_THROW(writer.commit(), std::logic_error);
  }
  BOOST_TEST(read_file(dir / "x.safetensors") == before);
  BOOST_TEST(std::distance(std::filesystem::directory_iterator(dir.path()), {}) == 1);
  BOOST_CHECK_THROW(write_safetensors(dir / "none" / "x", {}), std::runtime_error);
}

BOOST_AUTO_TEST_CASE(a_file_that_was_changed_after_it_was_opened_is_refused) {
  temp_dir dir;
  write_safetensors(dir / "x.safetensors", {{"a", tensor::of<float>({1}, std::vector<float>{1})}});
  const safetensors_file file(dir / "x.safetensors");
  std::filesystem::resize_file(dir / "x.safetensors", 3);
  CHECK_REFUSED(file.load("a"), "x.safetensors", "was changed");
}

BOOST_AUTO_TEST_CASE(the_reference_files_are_read) {
  for (const auto* name : {"bloom", "llama", "llama3-rope"}) {
    const safetensors_file file(golden / name / "golden.safetensors");
    const auto logits = file.load("logits"), ids = file.load("input_ids");
    BOOST_TEST((ids.type() == dtype::int64 && ids.dim(0) == 2 && ids.rank() == 2));
    BOOST_TEST(logits.dims() == (shape{2, ids.dim(1), 512}), boost::test_tools::per_element());
    BOOST_TEST(all_finite(logits));
  }
}
