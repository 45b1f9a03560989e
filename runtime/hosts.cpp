#include "runtime/hosts.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

namespace corolla::runtime {

bool is_loopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

bool is_wildcard(const std::string& host) {
  in_addr four{};
  in6_addr six{};
  if (::inet_aton(host.c_str(), &four) != 0) return four.s_addr == INADDR_ANY;
  if (::inet_pton(AF_INET6, host.c_str(), &six) != 1) return false;
  return IN6_IS_ADDR_UNSPECIFIED(&six) || (IN6_IS_ADDR_V4MAPPED(&six) && six.s6_addr32[3] == INADDR_ANY);
}

}  // namespace corolla::runtime
