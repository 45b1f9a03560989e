// The whole model in this process: the floor that a swarm is compared with.
#pragma once

#include <memory>

#include "runtime/client.hpp"

namespace corolla::runtime {

/// Loads the model; its whole cache is one session's or several sessions' who ask at the same time.  Throws what model/
/// throws.
std::unique_ptr<client> make_local_client(const client_options& options);

}  // namespace corolla::runtime
