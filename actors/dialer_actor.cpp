#include "actors/dialer_actor.hpp"

#include <utility>

namespace corolla::actors {

dialer_actor::behavior_type dialer(dialer_actor::pointer, std::shared_ptr<const wire::interrupt> stop) {
  return {[stop = std::move(stop)](dial_atom, const std::string& host, uint16_t port) -> caf::result<int> {
    auto outcome = wire::connect_to(host, port, dial_time, stop.get());
    if (auto* why = std::get_if<wire::refusal>(&outcome)) return make_error(why->code, why->text);
    return std::get<wire::descriptor>(outcome).release();
  }};
}

}  // namespace corolla::actors
