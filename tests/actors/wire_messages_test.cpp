#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <limits>
#include <random>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "actors/printable.hpp"
#include "actors/wire/hello.hpp"
#include "actors/wire/little_endian.hpp"
#include "actors/wire/messages.hpp"
#include "tests/fuzz/message_readers.hpp"
#include "tests/support/allocations.hpp"

namespace corolla::tests {
namespace {

using namespace actors::wire;
using actors::errc;
using actors::rows_wanted;

using bodies = std::tuple<
    open_body, opened_body, refused_body, close_body, applied_body, failed_body, attach_body, step_body, accept_body,
    edge_body, answer_body, restored_body, edge_lost_body, hand_over_body, prompts_body, leaving_body, drain_body,
    drain_reply_body, status_body, status_reply_body, sessions_body, sessions_reply_body, step_refused_body,
    record_body, record_taken_body, snapshot_body, snapshot_end_body, announcement_body, suspect_body, suspicion_body,
    digest_body, digest_done_body>;

enum class sizes { random, largest };

/// An archive that fills each part of a body with random values within its limits.
class filler {
 public:
  filler(uint32_t seed, sizes of_parts) : random_{seed}, sizes_{of_parts} {}

  template <class... Parts>
  void operator()(Parts&... parts) {
    (fill(parts), ...);
  }

 private:
  void fill(ping_body& part) { part.serialize(*this); }
  void fill(edge_body& part) { part.serialize(*this); }
  void fill(status_reply_body& part) { part.serialize(*this); }
  void fill(listed_session_body& part) { part.serialize(*this); }
  void fill(digest_entry_body& part) { part.serialize(*this); }
  template <class T>
  requires std::is_unsigned_v<T>
  void fill(T& number) { number = static_cast<T>(random_()); }
  void fill(float& number) { number = std::uniform_real_distribution<float>{-1e6f, 1e6f}(random_); }
  template <size_t N>
  void fill(fixed_bytes<N>& part) {
    for (auto& byte : part.bytes) fill(byte);
  }
  template <class Enum, Enum First, Enum Last>
  void fill(checked_enum<Enum, First, Last>& part) {
    auto first = static_cast<uint64_t>(First), last = static_cast<uint64_t>(Last);
    part.value = static_cast<Enum>(std::uniform_int_distribution<uint64_t>{first, last}(random_));
  }
  template <uint32_t Limit>
  void fill(bounded_string<Limit>& part) {
    part.value.resize(size_up_to(Limit));
    for (auto& c : part.value) c = static_cast<char>(random_());
    part.value = actors::printable(std::move(part.value));
  }
  template <uint32_t Limit>
  void fill(bounded_vector<std::byte, Limit>& part) {
    part.values.resize(size_up_to(Limit));
    for (auto& byte : part.values) byte = static_cast<std::byte>(random_());
  }
  template <class T, uint32_t Limit>
  void fill(bounded_vector<T, Limit>& part) {
    part.values.resize(size_up_to(Limit));
    for (auto& value : part.values) fill(value);
  }

  size_t size_up_to(size_t most) {
    return sizes_ == sizes::largest ? most : std::uniform_int_distribution<size_t>{0, most}(random_);
  }

  std::mt19937_64 random_;
  sizes sizes_;
};

template <class Body>
Body random_body(uint32_t seed, sizes of_parts = sizes::random) {
  Body body;
  filler fill{seed, of_parts};
  body.serialize(fill);
  return body;
}

/// A body's bytes, put together by hand: numbers little-endian behind the byte that says so.
class by_hand {
 public:
  template <class T>
  by_hand& number(T value) {
    append(bytes_, value);
    return *this;
  }
  by_hand& zeros(size_t count) {
    bytes_.resize(bytes_.size() + count);
    return *this;
  }
  by_hand& text(const std::string& text) {
    number(static_cast<uint32_t>(text.size()));
    for (auto c : text) number(static_cast<uint8_t>(c));
    return *this;
  }
  operator std::span<const std::byte>() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_{std::byte{1}};
};

template <class Body>
bool reads(std::span<const std::byte> bytes) {
  return decode_body<Body>(bytes).has_value();
}

// Behind the byte order, the version, the sequence number and the lifetime.
constexpr size_t state_in_announcement = 1 + 1 + 8 + 4;

}  // namespace

BOOST_AUTO_TEST_SUITE(wire_messages)

BOOST_AUTO_TEST_CASE_TEMPLATE(a_body_survives_its_bytes, Body, bodies) {
  for (uint32_t seed = 0; seed < 200; ++seed) {
    auto body = random_body<Body>(seed);
    auto bytes = encode_body(body);
    auto decoded = decode_body<Body>(bytes);
    BOOST_TEST_REQUIRE(decoded.has_value());
    BOOST_TEST((*decoded == body));
    BOOST_TEST((encode_body(*decoded) == bytes));
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(the_largest_body_fits_its_frame, Body, bodies) {
  auto body = random_body<Body>(0, sizes::largest);
  auto bytes = encode_body(body);
  BOOST_TEST(bytes.size() <= limits::body_bytes);
  BOOST_TEST((decode_body<Body>(bytes) == body));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_body_cut_anywhere_or_extended_is_refused, Body, bodies) {
  for (uint32_t seed = 0; seed < 5; ++seed) {
    auto bytes = encode_body(random_body<Body>(seed));
    for (size_t size = 0; size < bytes.size(); ++size)
      BOOST_TEST(
          !reads<Body>(std::span{bytes}.first(size)), "read from " << size << " of " << bytes.size() << " bytes");
    bytes.push_back(std::byte{0});
    BOOST_TEST(!reads<Body>(bytes));
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_body_in_another_byte_order_is_refused, Body, bodies) {
  auto bytes = encode_body(random_body<Body>(1));
  for (auto first : {0, 2, 255}) {
    bytes[0] = static_cast<std::byte>(first);
    BOOST_TEST(!reads<Body>(bytes));
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(whatever_is_read_from_damaged_bytes_has_no_other_encoding, Body, bodies) {
  std::mt19937 random{7};
  for (uint32_t seed = 0; seed < 20; ++seed) {
    auto bytes = encode_body(random_body<Body>(seed));
    for (int damage = 0; damage < 50; ++damage) {
      auto damaged = bytes;
      damaged[random() % damaged.size()] ^= static_cast<std::byte>(1 + random() % 255);
      if (auto body = decode_body<Body>(damaged)) BOOST_TEST(are_same_message(encode_body(*body), damaged));
    }
  }
}

BOOST_AUTO_TEST_CASE(the_layout_is_little_endian_and_without_gaps) {
  step_body step;
  step.epoch = 0x1122'3344'5566'7788;
  step.seq = 2;
  step.done = 1;
  step.position = 9;
  step.wanted.value = rows_wanted::all;
  step.dtype.value = model::dtype::bfloat16;
  step.batch = 2;
  step.tokens = 3;
  step.hidden = 4;
  step.hypo_ids.values = {1, 0};
  auto dtype = static_cast<uint8_t>(model::dtype::bfloat16);
  auto expected = by_hand{}.number(step.epoch).number(step.seq).number(step.done).number(9u);
  expected.number(uint8_t{2}).number(dtype).number(2u).number(3u).number(4u);
  expected.number(/*count=*/2u).number(1u).number(0u);
  expected.number(/*restores=*/uint8_t{0}).number(/*until=*/0u).number(/*block=*/0u);
  BOOST_TEST(std::ranges::equal(encode_body(step), std::span<const std::byte>{expected}));
}

BOOST_AUTO_TEST_CASE(a_number_that_names_no_error_is_refused) {
  for (int code = 0; code < 256; ++code) {
    auto known = code >= static_cast<int>(actors::first_errc) && code <= static_cast<int>(actors::last_errc);
    auto number = static_cast<uint8_t>(code);
    BOOST_TEST(reads<refused_body>(by_hand{}.number(number).text("why")) == known, "code " << code);
    BOOST_TEST(reads<failed_body>(by_hand{}.number(number).text("why")) == known, "code " << code);
    BOOST_TEST(reads<step_refused_body>(by_hand{}.zeros(16).number(number).text("why")) == known, "code " << code);
  }
}

BOOST_AUTO_TEST_CASE(a_dtype_that_is_no_activation_and_rows_that_do_not_exist_are_refused) {
  auto step = [](uint8_t rows, uint8_t dtype) { return by_hand{}.zeros(28).number(rows).number(dtype).zeros(25); };
  auto open = [](uint8_t dtype) { return by_hand{}.zeros(88).number(dtype).zeros(146); };
  for (int n = 0; n < 256; ++n) {
    auto number = static_cast<uint8_t>(n);
    auto floating = n >= static_cast<int>(model::dtype::float32) && n <= static_cast<int>(model::dtype::float16);
    BOOST_TEST(reads<step_body>(step(0, number)) == floating, "dtype " << n);
    BOOST_TEST(reads<open_body>(open(number)) == floating, "dtype " << n);
    BOOST_TEST(reads<step_body>(step(number, 1)) == (n <= 2), "rows " << n);
  }
}

BOOST_AUTO_TEST_CASE(a_state_that_an_announcement_cannot_have_is_refused) {
  for (int n = 0; n < 256; ++n) {
    auto bytes = encode_body(announcement_body{});
    bytes[state_in_announcement] = static_cast<std::byte>(n);
    BOOST_TEST(reads<announcement_body>(bytes) == (n >= 1 && n <= 4), "state " << n);
  }
}

BOOST_AUTO_TEST_CASE(a_list_is_read_up_to_its_limit) {
  auto step = [](uint32_t count) {
    return by_hand{}
        .zeros(28)
        .number(uint8_t{0})
        .number(uint8_t{1})
        .zeros(12)
        .number(count)
        .zeros(count * sizeof(uint32_t) + 9);
  };
  BOOST_TEST(reads<step_body>(step(limits::session_batch)));
  BOOST_TEST(!reads<step_body>(step(limits::session_batch + 1)));
  auto record = [](uint32_t count) { return by_hand{}.zeros(12).number(count).zeros(count); };
  BOOST_TEST(reads<record_body>(record(max_record_bytes)));
  BOOST_TEST(!reads<record_body>(record(max_record_bytes + 1)));
  auto text = [](size_t size) { return by_hand{}.number(uint8_t{1}).text(std::string(size, 'x')); };
  BOOST_TEST(reads<refused_body>(text(512)));
  BOOST_TEST(!reads<refused_body>(text(513)));
}

BOOST_AUTO_TEST_CASE(a_count_without_what_it_counts_allocates_nothing_beyond_its_limit) {
  auto refuses = []<class Body>(std::type_identity<Body>, const by_hand& bytes) {
    forget_allocations();
    auto read = reads<Body>(bytes);
    auto largest = largest_allocation();
    BOOST_TEST(!read);
    BOOST_TEST(largest <= limits::body_bytes);
  };
  for (auto count :
       {1u, 64u, 300u, 512u, max_record_bytes, max_record_bytes + 1, 1u << 31, std::numeric_limits<uint32_t>::max()}) {
    refuses(std::type_identity<refused_body>{}, by_hand{}.number(uint8_t{1}).number(count));
    refuses(std::type_identity<failed_body>{}, by_hand{}.number(uint8_t{1}).number(count));
    refuses(std::type_identity<step_refused_body>{}, by_hand{}.zeros(16).number(uint8_t{1}).number(count));
    refuses(std::type_identity<record_body>{}, by_hand{}.zeros(12).number(count));
    refuses(
        std::type_identity<step_body>{},
        by_hand{}.zeros(28).number(uint8_t{0}).number(uint8_t{1}).zeros(12).number(count));
    auto announcement = by_hand{}.zeros(state_in_announcement - 1).number(uint8_t{1});
    refuses(std::type_identity<announcement_body>{}, by_hand{announcement}.number(count));
    refuses(std::type_identity<announcement_body>{}, by_hand{announcement}.number(1u).number(count));
  }
}

BOOST_AUTO_TEST_CASE(the_fuzzers_corpus_has_a_body_of_each_kind_that_is_read) {
  static_assert(std::size(message_readers) == std::tuple_size_v<bodies>);
  for (size_t place = 0; place < std::size(message_readers); ++place) {
    const auto& [name, read] = message_readers[place];
    std::ifstream in{
        std::string{COROLLA_SOURCE_DIR} + "/tests/fuzz/corpus/messages/" + std::string{name}, std::ios::binary};
    const std::vector<char> file{std::istreambuf_iterator<char>{in}, {}};
    BOOST_TEST_REQUIRE(!file.empty(), name);
    BOOST_TEST(static_cast<size_t>(file[0]) == place, name);
    BOOST_TEST(read(std::as_bytes(std::span{file}.subspan(1))), name);
  }
}

BOOST_AUTO_TEST_CASE(control_characters_of_what_strangers_say_do_not_get_in) {
  const std::string said =
                        "a\x1b[31m\nb\x7f\xc2\x9b"
                        "c \xc3\xa9",
                    kept = "a?[31m?b???c \xc3\xa9";
  const auto read = [&]<class Body>(Body body) {
    body.text.value = said;
    return decode_body<Body>(encode_body(body))->text.value;
  };
  BOOST_TEST(read(refused_body{}) == kept);
  BOOST_TEST(read(failed_body{}) == kept);
  BOOST_TEST(read(answer_body{}) == kept);
  BOOST_TEST(read(edge_lost_body{}) == kept);
  BOOST_TEST(read(step_refused_body{}) == kept);
  BOOST_TEST(read(drain_reply_body{}) == kept);
  BOOST_TEST(read(sessions_reply_body{}) == kept);
  announcement_body announced;
  announced.model_name.value = announced.software.value = said;
  announced.addresses.values = {{said}};
  const auto heard = decode_body<announcement_body>(encode_body(announced));
  BOOST_TEST(heard->model_name.value == kept);
  BOOST_TEST(heard->software.value == kept);
  BOOST_TEST(heard->addresses.values.front().value == kept);
  hello greeting;
  greeting.software = greeting.model_name = said;
  const auto greeted = decode_hello(encode(greeting));
  BOOST_TEST(greeted->software == kept);
  BOOST_TEST(greeted->model_name == kept);
}

BOOST_AUTO_TEST_CASE(a_part_beyond_its_limit_is_not_sent) {
  BOOST_CHECK_THROW(encode_body(refused_body{{errc::gap}, {std::string(513, 'x')}}), malformed);
  step_body step;
  step.hypo_ids.values.resize(limits::session_batch + 1);
  BOOST_CHECK_THROW(encode_body(step), malformed);
  record_body record;
  record.record.values.resize(max_record_bytes + 1);
  BOOST_CHECK_THROW(encode_body(record), malformed);
  announcement_body announcement;
  announcement.addresses.values.resize(5);
  BOOST_CHECK_THROW(encode_body(announcement), malformed);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace corolla::tests
