// The reference files of the tokenizer tests, and how they are compared.
#pragma once

#include <fstream>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "model/tokenizer.hpp"

namespace corolla::model::golden_tokenizer {

using nlohmann::json;
using ids = std::vector<int64_t>;

inline json golden(const std::string& name) {
  std::ifstream file(COROLLA_SOURCE_DIR "/tests/golden/tokenizer/" + name);
  BOOST_REQUIRE_MESSAGE(file, "cannot read " << name);
  return json::parse(file);
}

inline void check_cases(const tokenizer& t, const json& cases) {
  for (const auto& c : cases) {
    const auto& text = c.at("text").get_ref<const std::string&>();
    BOOST_TEST_CONTEXT(c.at("text").dump()) {
      const auto expected = c.at("ids").get<ids>();
      BOOST_TEST(t.encode(text, /*add_special=*/false) == expected, boost::test_tools::per_element());
      BOOST_TEST(
          t.encode(text, /*add_special=*/true) == c.at("ids_special").get<ids>(), boost::test_tools::per_element());
      BOOST_TEST(t.decode(expected, /*skip_special=*/false) == c.at("decoded").get<std::string>());
    }
  }
}

}  // namespace corolla::model::golden_tokenizer
