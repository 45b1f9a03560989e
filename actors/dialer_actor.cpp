#include "actors/dialer_actor.hpp"

#include <utility>

#include "actors/wire/socket.hpp"

namespace corolla::actors {

dialer_actor::behavior_type dialer(dialer_actor::pointer self) {
  return dialer_until(self, std::make_shared<const std::atomic<bool>>(false));
}

dialer_actor::behavior_type dialer_until(dialer_actor::pointer, std::shared_ptr<const std::atomic<bool>> stop) {
  return {[stop = std::move(stop)](dial_atom, const std::string& host, uint16_t port) -> caf::result<int> {
    auto outcome = wire::connect_to(host, port, dial_time, stop.get());
    if (auto* why = std::get_if<wire::refusal>(&outcome)) return make_error(why->code, why->text);
    return std::get<wire::descriptor>(outcome).release();
  }};
}

}  // namespace corolla::actors
