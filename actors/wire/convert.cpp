#include "actors/wire/convert.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace corolla::actors::wire {
namespace {

/// Signed records of servers, apart from whatever else an identity signs.
constexpr std::string_view record_context = "corolla server record 1";
constexpr std::string_view suspicion_context = "corolla suspicion 1";

template <class T>
wire_text short_text(T&& text) {
  return {std::string{text}.substr(0, 512)};
}

uint32_t milliseconds(std::chrono::milliseconds time) {
  return static_cast<uint32_t>(std::clamp<int64_t>(time.count(), 0, std::numeric_limits<uint32_t>::max()));
}

uint32_t microseconds(std::chrono::microseconds time) {
  return static_cast<uint32_t>(std::clamp<int64_t>(time.count(), 0, std::numeric_limits<uint32_t>::max()));
}

/// What a peer says that it measured: a plan must not be spoilt by a NaN.
float measured(float value) {
  return std::isfinite(value) ? std::max(value, 0.0f) : 0.0f;
}

}  // namespace

open_body to_wire(const open_request& request) {
  open_body body;
  body.session.bytes = request.session.bytes;
  body.model.bytes = request.model;
  body.blocks_digest.bytes = request.blocks_digest;
  body.begin = request.blocks.begin;
  body.end = request.blocks.end;
  body.dtype.value = request.wire;
  body.batch = request.batch;
  body.max_length = request.max_length;
  body.alloc_timeout_ms = milliseconds(request.alloc_timeout);
  body.epoch = request.epoch;
  body.upstream.bytes = request.upstream.bytes;
  body.next.bytes = request.next.bytes;
  body.next_session.bytes = request.next_session.bytes;
  body.done = request.done;
  body.restoring.value = request.restoring;
  body.next_restoring.value = request.next_restoring;
  body.restorer.bytes = request.restorer.bytes;
  body.prompt_tokens = request.prompt_tokens;
  return body;
}

converted<open_request> from_wire(const open_body& body) {
  if (body.end <= body.begin) return conversion_error{errc::bad_request, "a session over no block"};
  if (body.batch == 0 || body.max_length == 0)
    return conversion_error{errc::bad_request, "a session of no row or no token"};
  if (body.batch > limits::session_batch)
    return conversion_error{
        errc::too_large, "a batch of " + std::to_string(body.batch) + " is above the limit of " +
                             std::to_string(limits::session_batch) + " rows"};
  if (body.max_length > limits::session_length)
    return conversion_error{
        errc::too_large, "max_length " + std::to_string(body.max_length) + " is above the limit of " +
                             std::to_string(limits::session_length) + " tokens"};
  open_request request;
  request.session.bytes = body.session.bytes;
  request.model = body.model.bytes;
  request.blocks_digest = body.blocks_digest.bytes;
  request.blocks = {body.begin, body.end};
  request.wire = body.dtype.value;
  request.batch = body.batch;
  request.max_length = body.max_length;
  request.alloc_timeout =
      std::min<std::chrono::milliseconds>(std::chrono::milliseconds{body.alloc_timeout_ms}, limits::alloc_timeout);
  request.epoch = body.epoch;
  request.upstream.bytes = body.upstream.bytes;
  request.next.bytes = body.next.bytes;
  request.next_session.bytes = body.next_session.bytes;
  request.done = body.done;
  request.restoring = body.restoring.value != 0;
  request.next_restoring = body.next_restoring.value != 0;
  request.restorer.bytes = body.restorer.bytes;
  request.prompt_tokens = body.prompt_tokens;
  return request;
}

edge_body to_wire(const edge_target& to, uint64_t seq, uint64_t tag) {
  edge_body body;
  body.tag = tag;
  body.epoch = to.epoch;
  body.next.bytes = to.peer.bytes;
  body.next_session.bytes = to.session.bytes;
  body.seq = seq;
  return body;
}

edge_target target_of(const edge_body& body) {
  edge_target to;
  to.peer.bytes = body.next.bytes;
  to.session.bytes = body.next_session.bytes;
  to.epoch = body.epoch;
  return to;
}

status_reply_body to_wire(const session_status& status) {
  status_reply_body body;
  body.begin = status.blocks.begin;
  body.end = status.blocks.end;
  body.epoch = status.epoch;
  body.last = status.last;
  body.steps = status.steps;
  body.position = status.position;
  body.restored = status.restored;
  body.dropped = status.dropped;
  body.log_bytes = status.log_bytes;
  body.restoring.value = status.restoring;
  body.client_bytes = status.client_bytes;
  body.server_bytes = status.server_bytes;
  body.age_ms = milliseconds(status.age);
  return body;
}

session_status from_wire(const status_reply_body& body) {
  session_status status;
  status.blocks = {body.begin, body.end};
  status.epoch = body.epoch;
  status.last = body.last;
  status.steps = body.steps;
  status.position = body.position;
  status.restored = body.restored;
  status.dropped = body.dropped;
  status.log_bytes = body.log_bytes;
  status.restoring = body.restoring.value != 0;
  status.client_bytes = body.client_bytes;
  status.server_bytes = body.server_bytes;
  status.age = std::chrono::milliseconds{body.age_ms};
  return status;
}

listed_session_body to_listed(const session_status& status) {
  return {{status.session.bytes}, {status.client.bytes}, to_wire(status)};
}

session_status from_wire(const listed_session_body& body) {
  auto status = from_wire(body.status);
  status.session.bytes = body.session.bytes;
  status.client.bytes = body.client.bytes;
  return status;
}

step_body to_wire(const step& s) {
  step_body body;
  body.epoch = s.epoch;
  body.seq = s.seq;
  body.done = s.done;
  body.position = s.position;
  body.wanted.value = s.wanted;
  body.dtype.value = s.hidden.type();
  body.batch = static_cast<uint32_t>(s.hidden.dim(0));
  body.tokens = static_cast<uint32_t>(s.hidden.dim(1));
  body.hidden = static_cast<uint32_t>(s.hidden.dim(2));
  body.hypo_ids.values = s.hypo_ids;
  body.restores.value = s.restores;
  body.until = s.until;
  body.block = s.block;
  return body;
}

/// The tensor that came with a message; it is shared, not copied.
static converted<model::tensor> tensor_of(
    model::dtype type, const std::array<int64_t, 3>& dims, const std::shared_ptr<const payload_buffer>& payload) {
  auto elements = model::num_elements(dims);
  auto size = payload ? payload->size() : 0;
  if (!elements || static_cast<uint64_t>(*elements) * model::size_of(type) != size)
    return conversion_error{
        errc::bad_tensor,
        "a tensor of shape " + model::to_string(dims) + " came with " + std::to_string(size) + " bytes"};
  auto bytes = payload ? std::span{payload->data(), payload->size()} : std::span<const std::byte>{};
  return model::tensor{type, {dims.begin(), dims.end()}, bytes, payload};
}

prompts_body to_wire(const model::tensor& prompts, uint64_t tag) {
  prompts_body body;
  body.tag = tag;
  body.dtype.value = prompts.type();
  body.blocks = static_cast<uint32_t>(prompts.dim(0));
  body.tokens = static_cast<uint32_t>(prompts.dim(1));
  body.hidden = static_cast<uint32_t>(prompts.dim(2));
  return body;
}

converted<model::tensor> from_wire(const prompts_body& body, const std::shared_ptr<const payload_buffer>& payload) {
  return tensor_of(body.dtype.value, {body.blocks, body.tokens, body.hidden}, payload);
}

converted<step> from_wire(
    const step_body& body, const std::shared_ptr<const payload_buffer>& payload, const peer_id& from) {
  auto hidden = tensor_of(body.dtype.value, {body.batch, body.tokens, body.hidden}, payload);
  if (auto* error = std::get_if<conversion_error>(&hidden)) return std::move(*error);
  step result;
  result.epoch = body.epoch;
  result.seq = body.seq;
  result.done = body.done;
  result.position = body.position;
  result.wanted = body.wanted.value;
  result.hypo_ids = body.hypo_ids.values;
  result.restores = body.restores.value;
  result.until = body.until;
  result.block = body.block;
  result.from = from;
  result.hidden = std::get<model::tensor>(std::move(hidden));
  return result;
}

crypto::signed_record sign(const crypto::identity& identity, const server_record& record) {
  announcement_body body;
  body.seq = record.seq;
  body.lifetime_ms = milliseconds(record.lifetime);
  body.state.value = static_cast<uint8_t>(record.state);
  for (auto& address : record.addresses) body.addresses.values.push_back({address});
  body.model_name.value = record.model_name.substr(0, 128);
  body.model.bytes = record.model;
  body.blocks_digest.bytes = record.blocks_digest;
  body.model_blocks = record.model_blocks;
  body.begin = record.blocks.begin;
  body.end = record.blocks.end;
  body.dtype.value = record.dtype;
  body.cache_tokens = record.cache_tokens;
  body.free_tokens = record.free_tokens;
  body.steps_per_s = record.steps_per_s;
  body.forward_per_s = record.forward_per_s;
  body.load = record.load;
  body.numerics.value = record.numerics;
  for (auto& ping : record.pings)
    body.pings.values.push_back({{ping.peer.bytes}, microseconds(ping.round_trip), ping.bytes_per_s});
  for (auto& adapter : record.adapters) body.adapters.values.push_back({adapter});
  body.software.value = record.software;
  return crypto::sign_record(identity, record_context, encode_body(body));
}

std::optional<record_claim> claim_of(const crypto::signed_record& record) {
  auto body = decode_body<announcement_body>(record.payload);
  if (!body) return std::nullopt;
  return record_claim{peer_id::of(record.key), body->seq};
}

std::optional<server_record> verify(const crypto::signed_record& record) {
  auto verified = crypto::open(record, record_context);
  if (!verified) return std::nullopt;
  auto body = decode_body<announcement_body>(verified->bytes());
  if (!body || body->version != 1 || body->end <= body->begin || body->end > body->model_blocks) return std::nullopt;
  server_record result;
  result.peer = verified->signer();
  result.seq = body->seq;
  result.lifetime = std::chrono::milliseconds{body->lifetime_ms};
  result.state = static_cast<server_state>(body->state.value);
  for (auto& address : body->addresses.values) result.addresses.push_back(address.value);
  result.model_name = body->model_name.value;
  result.model = body->model.bytes;
  result.blocks_digest = body->blocks_digest.bytes;
  result.model_blocks = body->model_blocks;
  result.blocks = {body->begin, body->end};
  result.dtype = body->dtype.value;
  result.cache_tokens = body->cache_tokens;
  result.free_tokens = body->free_tokens;
  result.steps_per_s = measured(body->steps_per_s);
  result.forward_per_s = measured(body->forward_per_s);
  result.load = std::min(measured(body->load), 1.0f);
  result.numerics = body->numerics.value;
  for (auto& ping : body->pings.values)
    result.pings.push_back(
        {peer_id{ping.peer.bytes}, std::chrono::microseconds{ping.round_trip_us}, measured(ping.bytes_per_s)});
  for (auto& adapter : body->adapters.values) result.adapters.push_back(adapter.value);
  result.software = body->software.value;
  return result;
}

crypto::signed_record sign(const crypto::identity& identity, const suspicion& suspicion) {
  suspicion_body body;
  body.suspect.bytes = suspicion.suspect.bytes;
  body.seq = suspicion.seq;
  return crypto::sign_record(identity, suspicion_context, encode_body(body));
}

std::optional<suspicion> verify(const signed_suspicion& suspicion) {
  auto verified = crypto::open(suspicion.record, suspicion_context);
  if (!verified) return std::nullopt;
  auto body = decode_body<suspicion_body>(verified->bytes());
  if (!body || body->version != 1) return std::nullopt;
  return actors::suspicion{peer_id{body->suspect.bytes}, body->seq, verified->signer()};
}

suspect_body to_wire(const signed_suspicion& suspicion) {
  suspect_body body;
  body.suspicion.values = crypto::encode(suspicion.record);
  return body;
}

std::optional<signed_suspicion> from_wire(const suspect_body& body) {
  auto record = crypto::decode_record(body.suspicion.values, max_suspicion_bytes - crypto::signed_record_overhead);
  if (!record) return std::nullopt;
  return signed_suspicion{std::move(*record)};
}

digest_body to_wire(const policy::digest_range& range, uint64_t tag) {
  digest_body body;
  body.tag = tag;
  body.first.bytes = range.first;
  body.last.bytes = range.last;
  for (auto& entry : range.entries) body.entries.values.push_back({{entry.owner}, entry.seq});
  return body;
}

policy::digest_range from_wire(const digest_body& body) {
  policy::digest_range range{body.first.bytes, body.last.bytes, {}};
  for (auto& entry : body.entries.values) range.entries.push_back({entry.owner.bytes, entry.seq});
  return range;
}

record_body to_wire(const signed_server_record& record, uint64_t tag) {
  record_body body;
  body.tag = tag;
  body.age_ms = milliseconds(record.age);
  body.record.values = crypto::encode(record.record);
  return body;
}

std::optional<signed_server_record> from_wire(const record_body& body) {
  auto record = crypto::decode_record(body.record.values, max_record_bytes - crypto::signed_record_overhead);
  if (!record) return std::nullopt;
  return signed_server_record{std::move(*record), std::chrono::milliseconds{body.age_ms}};
}

}  // namespace corolla::actors::wire
