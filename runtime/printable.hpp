// What is said at a terminal is made printable as what comes from peers is.
#pragma once

#include "actors/printable.hpp"

namespace corolla::runtime {

using actors::printable;

}  // namespace corolla::runtime
