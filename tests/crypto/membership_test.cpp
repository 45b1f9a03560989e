#include "crypto/membership.hpp"

#include "known_key.hpp"
#include "scratch_folder.hpp"

#include <boost/test/unit_test.hpp>

#include <limits>
#include <stdexcept>
#include <type_traits>

namespace corolla::crypto {

using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(memberships)

constexpr std::chrono::sys_seconds now{1'767'225'600s};

// Made by a script from the layout in crypto/README.md: the key of RFC 8032 lets itself serve until `now`.
constexpr std::string_view known_certificate =
    "corolla-cert-"
    "aeaqbokvneaaaaaa25njqamcweflpvkl73j4szahhihoc4xt3ktcgjnpaingr5yhkencd7rr36qvjitbmjv7qvaen7jcog335vfwvpsf"
    "vjmio7xup6lsdokofmcdoos4uuwari7qtj7wiwf6dpskibbhppqhm73hpeis7j6s54cpjkcpcu2ujxsriyx7idx54kbaje3lg332ct5y3hobwfqwgl"
    "jqi";

struct private_swarm {
  identity key = identity::generate();
  swarm_id id = swarm_id::of(key.public_key());
  identity peer = identity::generate();

  std::vector<std::byte> shown(role granted = role::server) const {
    return encode(issue(key, peer.peer(), granted, now + 1h));
  }
};

/// Why the certificate is refused; nullopt if it is not.
std::optional<refusal_reason> reason(const std::variant<membership, refusal>& judged) {
  auto* refused = std::get_if<refusal>(&judged);
  if (refused == nullptr) return std::nullopt;
  BOOST_TEST(!refused->sentence.empty());
  return refused->reason;
}

BOOST_AUTO_TEST_CASE(memberships_come_from_judge_alone) {
  static_assert(!std::is_default_constructible_v<membership>);
  static_assert(!std::is_constructible_v<membership, const certificate&>);
}

BOOST_FIXTURE_TEST_CASE(a_member_is_let_in_with_its_role, private_swarm) {
  auto judged = judge(shown(), id, peer.peer(), now, role::server);
  BOOST_REQUIRE(!reason(judged));
  auto& member = std::get<membership>(judged);
  BOOST_TEST((member.peer() == peer.peer()));
  BOOST_TEST((member.role() == role::server));
  BOOST_TEST((member.expires() == now + 1h));
}

BOOST_FIXTURE_TEST_CASE(a_certificate_of_another_swarm_is_refused, private_swarm) {
  auto other = private_swarm{};
  BOOST_TEST((reason(judge(shown(), other.id, peer.peer(), now)) == refusal_reason::wrong_swarm));
}

BOOST_FIXTURE_TEST_CASE(a_certificate_that_claims_the_swarm_but_has_another_signature_is_refused, private_swarm) {
  auto forged = issue(identity::generate(), peer.peer(), role::admin, now + 1h);
  forged.swarm_key = key.public_key();
  BOOST_TEST((reason(judge(encode(forged), id, peer.peer(), now)) == refusal_reason::bad_signature));
}

BOOST_FIXTURE_TEST_CASE(a_certificate_shown_by_another_peer_is_refused, private_swarm) {
  auto thief = identity::generate().peer();
  BOOST_TEST((reason(judge(shown(), id, thief, now)) == refusal_reason::wrong_peer));
}

BOOST_FIXTURE_TEST_CASE(a_certificate_ends_with_the_second_it_names, private_swarm) {
  BOOST_TEST((!reason(judge(shown(), id, peer.peer(), now + 1h - 1s))));
  BOOST_TEST((reason(judge(shown(), id, peer.peer(), now + 1h)) == refusal_reason::expired));
}

BOOST_FIXTURE_TEST_CASE(extreme_times_are_times_too, private_swarm) {
  using std::chrono::sys_seconds;
  for (auto [expires, good] :
       {std::pair{sys_seconds::max(), true}, {sys_seconds::min(), false}, {sys_seconds{}, false}}) {
    auto bytes = encode(issue(key, peer.peer(), role::client, expires));
    BOOST_TEST((decode_certificate(bytes).value().expires == expires));
    BOOST_TEST(!reason(judge(bytes, id, peer.peer(), now)) == good);
  }
}

BOOST_AUTO_TEST_CASE(roles_include_each_other_as_documented) {
  BOOST_TEST((includes(role::admin, role::server) && includes(role::admin, role::client)));
  BOOST_TEST((includes(role::server, role::client) && !includes(role::server, role::admin)));
  BOOST_TEST((!includes(role::client, role::server) && !includes(role::client, role::admin)));
  for (auto r : {role::server, role::client, role::admin}) BOOST_TEST((includes(r, r)));
}

BOOST_FIXTURE_TEST_CASE(a_client_cannot_serve, private_swarm) {
  BOOST_TEST((reason(judge(shown(role::client), id, peer.peer(), now, role::server)) == refusal_reason::wrong_role));
  BOOST_TEST((!reason(judge(shown(role::admin), id, peer.peer(), now, role::server))));
}

BOOST_FIXTURE_TEST_CASE(a_certificate_with_any_bit_flipped_is_refused, private_swarm) {
  auto bytes = shown();
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    auto forged = bytes;
    forged[bit / 8] ^= std::byte{1} << bit % 8;
    BOOST_TEST(reason(judge(forged, id, peer.peer(), now)).has_value());
  }
}

BOOST_FIXTURE_TEST_CASE(a_certificate_cut_anywhere_or_extended_is_malformed, private_swarm) {
  auto bytes = shown();
  for (size_t size = 0; size < bytes.size(); ++size)
    BOOST_TEST((reason(judge(byte_view{bytes}.first(size), id, peer.peer(), now)) == refusal_reason::malformed));
  bytes.push_back(std::byte{0});
  BOOST_TEST((reason(judge(bytes, id, peer.peer(), now)) == refusal_reason::malformed));
}

BOOST_FIXTURE_TEST_CASE(unknown_versions_and_roles_are_malformed, private_swarm) {
  for (auto [place, value] : {std::pair{0, 0}, {0, 2}, {1, 0}, {1, 4}, {1, 255}}) {
    auto bytes = shown();
    bytes[static_cast<size_t>(place)] = static_cast<std::byte>(value);
    BOOST_TEST((reason(judge(bytes, id, peer.peer(), now)) == refusal_reason::malformed));
  }
}

BOOST_FIXTURE_TEST_CASE(a_signature_for_another_purpose_makes_no_certificate, private_swarm) {
  auto c = issue(key, peer.peer(), role::server, now + 1h);
  auto bytes = encode(c);
  c.signature = key.sign("announcement", byte_view{bytes}.first(certificate_size - sizeof c.signature));
  BOOST_TEST((reason(judge(encode(c), id, peer.peer(), now)) == refusal_reason::bad_signature));
}

BOOST_FIXTURE_TEST_CASE(a_certificate_survives_its_text, private_swarm) {
  auto c = issue(key, peer.peer(), role::server, now);
  auto text = to_text(c);
  BOOST_TEST((certificate_from_text(text).value() == c));
  BOOST_TEST((certificate_from_text("  " + text + "\r\n").value() == c));
  BOOST_TEST(!certificate_from_text(""));
  BOOST_TEST(!certificate_from_text("\n"));
  BOOST_TEST(!certificate_from_text(text + "a"));
  BOOST_TEST(!certificate_from_text(text.substr(1)));
  BOOST_TEST(!certificate_from_text(text.substr(0, text.size() - 1)));
  BOOST_TEST(!certificate_from_text(text + ' ' + text));
}

BOOST_AUTO_TEST_CASE(a_known_certificate_is_read_as_it_was_made) {
  auto c = certificate_from_text(known_certificate).value();
  BOOST_TEST(c.swarm_key == from_hex(known_public_key), boost::test_tools::per_element());
  BOOST_TEST(c.peer.to_string() == known_peer);
  BOOST_TEST((c.role == role::server && c.expires == now));
  BOOST_TEST((!reason(judge(encode(c), swarm_id::of(c.swarm_key), c.peer, now - 1s))));

  scratch_folder folder;
  auto swarm = identity::load(folder.with("key", known_pem));
  BOOST_TEST(to_text(issue(swarm, swarm.peer(), role::server, now)) == known_certificate);
}

BOOST_AUTO_TEST_CASE(a_certificate_is_read_from_a_file) {
  scratch_folder folder;
  auto file = folder.with("cert", std::string{known_certificate} + '\n', 0644);
  BOOST_TEST(to_text(load_certificate(file)) == known_certificate);
  BOOST_CHECK_THROW(load_certificate(folder / "missing"), std::runtime_error);
  BOOST_CHECK_THROW(load_certificate(folder.with("other", known_pem)), std::runtime_error);
  BOOST_CHECK_THROW(load_certificate(folder.with("large", std::string(5000, ' '))), std::runtime_error);
}

BOOST_AUTO_TEST_CASE(a_swarm_id_is_read_from_its_own_text_alone) {
  auto text = "swarm-" + std::string{known_peer};
  BOOST_TEST(swarm_id::parse(text).value().to_string() == text);
  BOOST_TEST(!swarm_id::parse(known_peer));
  BOOST_TEST(!swarm_id::parse("swarm-"));
  BOOST_TEST(!swarm_id::parse("Swarm-" + std::string{known_peer}));
  BOOST_TEST(!swarm_id::parse(text + 'a'));
}

BOOST_AUTO_TEST_CASE(kinds_and_roles_are_read_from_their_names) {
  for (auto kind : {swarm_kind::local, swarm_kind::open, swarm_kind::private_})
    BOOST_TEST((parse_swarm_kind(to_string(kind)) == kind));
  for (auto r : {role::server, role::client, role::admin}) BOOST_TEST((parse_role(to_string(r)) == r));
  BOOST_TEST(!parse_swarm_kind("unknown"));
  BOOST_TEST(!parse_role(""));
}

BOOST_AUTO_TEST_CASE(durations_have_a_number_and_a_unit) {
  BOOST_TEST((parse_duration("90s") == 90s));
  BOOST_TEST((parse_duration("45min") == 45min));
  BOOST_TEST((parse_duration("12h") == 12h));
  BOOST_TEST((parse_duration("30d") == 720h));
  BOOST_TEST((parse_duration("2w") == 336h));
  BOOST_TEST((parse_duration("36500d") == 36500 * 24h));
  for (auto text :
       {"", "d", "30", "30m", "30 d", "-1d", "+1d", "0d", "1.5h", "1d ", "1dd", "36501d", "18446744073709551616s",
        "18446744073709551615w"})
    BOOST_TEST(!parse_duration(text), text);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace corolla::crypto
