// In place of crypto::open, in programs with a virtual swarm: whole swarms in one process look at the same few records
// again and again, and a signature that held once holds.
#include <string>
#include <unordered_map>

#include "crypto/signed_record.hpp"

#define COROLLA_OPEN "_ZN7corolla6crypto4openENS0_13signed_recordESt17basic_string_viewIcSt11char_traitsIcEE"

namespace corolla::crypto {

// The linker's --wrap gives what it replaces, and what it puts there, these names.
std::optional<verified_bytes> really_open(signed_record record, std::string_view context) asm("__real_" COROLLA_OPEN);
std::optional<verified_bytes> open_once(signed_record record, std::string_view context) asm("__wrap_" COROLLA_OPEN);

std::optional<verified_bytes> open_once(signed_record record, std::string_view context) {
  static std::unordered_map<std::string, std::optional<verified_bytes>> known;
  const auto bytes = encode(record);
  std::string key{context};
  key.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  auto found = known.find(key);
  if (found == known.end()) found = known.emplace(std::move(key), really_open(std::move(record), context)).first;
  return found->second;
}

}  // namespace corolla::crypto
