#include "crypto/address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace corolla::crypto {

namespace {

constexpr std::string_view scheme = "corolla://";

bool is_ipv6(std::string_view text) {
  in6_addr ignored;
  // inet_pton would stop at a zero byte and call the rest fine.
  return text.find('\0') == text.npos && inet_pton(AF_INET6, std::string{text}.c_str(), &ignored) == 1;
}

/// Letters, digits, '.', '-', '_': names and IPv4 addresses, and nothing that a log or a shell would take for more.
bool is_name(std::string_view text) {
  return !text.empty() && text.front() != '-' && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_';
  });
}

std::optional<uint16_t> parse_port(std::string_view text) {
  uint16_t port = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || (text.size() > 1 && text.front() == '0'))
    return std::nullopt;
  return port;
}

}  // namespace

std::string address::to_string() const {
  auto place = (host.find(':') == host.npos ? host : '[' + host + ']') + ':' + std::to_string(port);
  return peer ? std::string{scheme} + peer->to_string() + '@' + place : place;
}

std::optional<address> address::parse(std::string_view text) {
  if (!text.starts_with(scheme)) return std::nullopt;
  text.remove_prefix(scheme.size());
  auto at = text.find('@');
  if (at == text.npos) return std::nullopt;
  auto peer = peer_id::parse(text.substr(0, at));
  auto place = parse_host_port(text.substr(at + 1));
  if (!peer || !place || place->port == 0) return std::nullopt;
  place->peer = peer;
  return place;
}

std::optional<address> address::parse_host_port(std::string_view text) {
  auto colon = text.rfind(':');
  if (colon == text.npos) return std::nullopt;
  auto host = text.substr(0, colon);
  auto port = parse_port(text.substr(colon + 1));
  auto bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (!port || host.size() > max_host || !(bracketed ? is_ipv6(host) : is_name(host))) return std::nullopt;
  return address{std::nullopt, std::string{host}, *port};
}

}  // namespace corolla::crypto
