// What bodies of messages are made of.
#pragma once

#include "actors/errc.hpp"
#include "actors/ids.hpp"
#include "actors/wire/bounded.hpp"
#include "actors/wire/limits.hpp"
#include "model/tensor.hpp"

namespace corolla::actors::wire {

using wire_errc = checked_enum<errc, first_errc, last_errc>;
using wire_dtype = checked_enum<model::dtype, model::dtype::float32, model::dtype::float16>;
using wire_rows = checked_enum<rows_wanted, rows_wanted::none, rows_wanted::all>;
using wire_text = bounded_string<512>;
using wire_id = fixed_bytes<16>;
using wire_peer = fixed_bytes<32>;
using wire_digest = fixed_bytes<32>;

using wire_flag = checked_enum<uint8_t, 0, 1>;

}  // namespace corolla::actors::wire
