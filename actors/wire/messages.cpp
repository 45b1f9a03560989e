#include "actors/wire/messages.hpp"

#include <exception>
#include <istream>
#include <ostream>
#include <streambuf>

#include <cereal/archives/portable_binary.hpp>

namespace corolla::actors::wire {
namespace {

class vector_writer : public std::streambuf {
 public:
  explicit vector_writer(std::vector<std::byte>& out) : out_(out) {}

 protected:
  std::streamsize xsputn(const char* data, std::streamsize count) override {
    auto bytes = reinterpret_cast<const std::byte*>(data);
    out_.insert(out_.end(), bytes, bytes + count);
    return count;
  }
  int_type overflow(int_type c) override {
    if (c != traits_type::eof()) out_.push_back(static_cast<std::byte>(c));
    return c;
  }

 private:
  std::vector<std::byte>& out_;
};

class span_reader : public std::streambuf {
 public:
  explicit span_reader(std::span<const std::byte> bytes) {
    // The get area is never written to.
    auto begin = const_cast<char*>(reinterpret_cast<const char*>(bytes.data()));
    setg(begin, begin, begin + bytes.size());
  }
  size_t left() const { return static_cast<size_t>(egptr() - gptr()); }
};

/// cereal wants a stream, and a new one costs more than all it does for a step: each looks its locale's facets up.
template <class Stream>
Stream& stream_over(std::streambuf& bytes) {
  thread_local Stream stream{nullptr};
  stream.rdbuf(&bytes);
  return stream;
}

}  // namespace

template <class Body>
std::vector<std::byte> encode_body(const Body& body) {
  std::vector<std::byte> bytes;
  bytes.reserve(128);
  vector_writer writer{bytes};
  cereal::PortableBinaryOutputArchive archive{
      stream_over<std::ostream>(writer), cereal::PortableBinaryOutputArchive::Options::LittleEndian()};
  archive(body);
  return bytes;
}

template <class Body>
std::optional<Body> decode_body(std::span<const std::byte> bytes) {
  // The leading byte says which endianness the writer used: only little-endian is spoken here.
  if (bytes.empty() || bytes[0] != std::byte{1}) return std::nullopt;
  span_reader reader{bytes};
  try {
    cereal::PortableBinaryInputArchive archive{stream_over<std::istream>(reader)};
    Body body;
    archive(body);
    if (reader.left() != 0) return std::nullopt;
    return body;
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

#define COROLLA_WIRE_BODY(type)                                   \
  template std::vector<std::byte> encode_body<type>(const type&); \
  template std::optional<type> decode_body<type>(std::span<const std::byte>);
COROLLA_WIRE_BODY(open_body)
COROLLA_WIRE_BODY(opened_body)
COROLLA_WIRE_BODY(refused_body)
COROLLA_WIRE_BODY(close_body)
COROLLA_WIRE_BODY(applied_body)
COROLLA_WIRE_BODY(failed_body)
COROLLA_WIRE_BODY(accept_body)
COROLLA_WIRE_BODY(edge_body)
COROLLA_WIRE_BODY(answer_body)
COROLLA_WIRE_BODY(restored_body)
COROLLA_WIRE_BODY(edge_lost_body)
COROLLA_WIRE_BODY(hand_over_body)
COROLLA_WIRE_BODY(prompts_body)
COROLLA_WIRE_BODY(leaving_body)
COROLLA_WIRE_BODY(drain_body)
COROLLA_WIRE_BODY(drain_reply_body)
COROLLA_WIRE_BODY(status_body)
COROLLA_WIRE_BODY(status_reply_body)
COROLLA_WIRE_BODY(sessions_body)
COROLLA_WIRE_BODY(sessions_reply_body)
COROLLA_WIRE_BODY(attach_body)
COROLLA_WIRE_BODY(step_body)
COROLLA_WIRE_BODY(step_refused_body)
COROLLA_WIRE_BODY(record_body)
COROLLA_WIRE_BODY(record_taken_body)
COROLLA_WIRE_BODY(snapshot_body)
COROLLA_WIRE_BODY(snapshot_end_body)
COROLLA_WIRE_BODY(announcement_body)
COROLLA_WIRE_BODY(suspect_body)
COROLLA_WIRE_BODY(suspicion_body)
COROLLA_WIRE_BODY(digest_body)
COROLLA_WIRE_BODY(digest_done_body)
#undef COROLLA_WIRE_BODY

}  // namespace corolla::actors::wire
