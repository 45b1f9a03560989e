#include "actors/client_actor.hpp"

#include <algorithm>
#include <unordered_map>

#include <caf/actor_system.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include "actors/spawn.hpp"

namespace corolla::actors {
namespace {

using std::chrono::steady_clock;

/// A route answers or fails by its own deadlines; this only bounds a fault in it.
constexpr auto forward_timeout = std::chrono::minutes{60};

struct generating {
  std::unique_ptr<model::generation> what;
  std::function<void(const model::generated_token&)> on_token;
  std::function<void(const route_status&)> on_route;
  route_actor route;
  caf::typed_response_promise<generate_reply> answer;
  steady_clock::time_point begun, first_token, last_token;
  std::string text;
};
struct evaluating {
  evaluate_order order;
  evaluate_reply reply;
  route_actor route;
  uint32_t next_block = 0;
  caf::typed_response_promise<evaluate_reply> answer;
};

struct client_state {
  client_state() = default;
  std::optional<client_settings> settings;
  std::unordered_map<uint64_t, generating> generations;
  std::unordered_map<uint64_t, evaluating> evaluations;
  static constexpr const char* name = "client";
};
using self_pointer = client_actor::stateful_pointer<client_state>;

/// A route for one order, being opened; `go` runs once it is open, `failed` otherwise.
template <class Go, class Failed>
route_actor open_route(
    self_pointer self, model::block_range blocks, uint32_t batch, uint32_t max_length, Go go, Failed failed) {
  auto config = self->state.settings->route;
  config.options.blocks = blocks;
  config.options.batch = batch;
  config.options.max_length = max_length;
  if (auto& prompts = config.options.deep_prompts; prompts.numel() > 0)
    prompts = prompts.slice(0, blocks.begin, blocks.end).slice(1, 0, std::min<int64_t>(prompts.dim(1), max_length));
  auto route = spawn_route(self->system(), config);
  self->request(route, caf::infinite, open_atom::value).then([go](taken) mutable { go(); }, failed);
  return route;
}

model::block_range all_blocks(self_pointer self) {
  return {0, self->state.settings->ends->num_blocks()};
}

// -- generation ---------------------------------------------------------------------------------------------------

void fail_generation(self_pointer self, uint64_t id, caf::error reason) {
  auto found = self->state.generations.find(id);
  if (found == self->state.generations.end()) return;
  self->send(found->second.route, close_atom::value);
  found->second.answer.deliver(std::move(reason));
  self->state.generations.erase(found);
}

void finish_generation(self_pointer self, uint64_t id) {
  auto& job = self->state.generations.at(id);
  self->request(job.route, caf::infinite, status_atom::value)
      .then(
          [self, id](route_status& status) {
            auto found = self->state.generations.find(id);
            if (found == self->state.generations.end()) return;
            auto& done = found->second;
            self->send(done.route, close_atom::value);
            done.answer.deliver(generate_reply{
                done.what->ids(), std::move(done.text), done.first_token - done.begun,
                done.last_token - done.first_token, std::move(status)});
            self->state.generations.erase(found);
          },
          [self, id](caf::error& reason) { fail_generation(self, id, std::move(reason)); });
}

void run(self_pointer self, uint64_t id, model::generation_input input);

void take_token(self_pointer self, uint64_t id, const model::tensor& hidden) {
  auto found = self->state.generations.find(id);
  if (found == self->state.generations.end()) return;
  auto& job = found->second;
  try {
    auto token = job.what->take(hidden);
    job.last_token = steady_clock::now();
    if (job.what->ids().size() == 1) job.first_token = job.last_token;
    job.text += token.text;
    if (job.on_token) job.on_token(token);
    if (job.what->finished()) return finish_generation(self, id);
    run(self, id, job.what->next());
  } catch (const std::exception& e) {
    fail_generation(self, id, make_error(errc::compute_failed, e.what()));
  }
}

void run(self_pointer self, uint64_t id, model::generation_input input) {
  auto& job = self->state.generations.at(id);
  self->request(
          job.route, forward_timeout, forward_atom::value,
          forward_request{input.position, std::move(input.hidden), rows_wanted::last, {}})
      .then(
          [self, id](const forward_reply& reply) { take_token(self, id, reply.hidden); },
          [self, id](caf::error& reason) { fail_generation(self, id, std::move(reason)); });
}

/// The route is open.
void begin(self_pointer self, uint64_t id) {
  auto found = self->state.generations.find(id);
  if (found == self->state.generations.end()) return;
  auto& job = found->second;
  if (!job.on_route) return run(self, id, job.what->first());
  self->request(job.route, caf::infinite, status_atom::value)
      .then(
          [self, id](const route_status& status) {
            auto still = self->state.generations.find(id);
            if (still == self->state.generations.end()) return;
            try {
              still->second.on_route(status);
            } catch (const std::exception& e) {
              return fail_generation(self, id, make_error(errc::compute_failed, e.what()));
            }
            run(self, id, still->second.what->first());
          },
          [self, id](caf::error& reason) { fail_generation(self, id, std::move(reason)); });
}

caf::result<generate_reply> generate(self_pointer self, generate_order& order) {
  auto& state = self->state;
  auto id = order.id;
  if (state.generations.contains(id)) return make_error(errc::bad_request, "an order with this id is under way");
  generating job;
  try {
    job.what =
        std::make_unique<model::generation>(*state.settings->ends, state.settings->tokenizer, std::move(order.request));
  } catch (const std::exception& e) {
    return make_error(errc::bad_request, e.what());
  }
  job.on_token = std::move(order.on_token);
  job.on_route = std::move(order.on_route);
  job.begun = steady_clock::now();
  job.answer = self->make_response_promise<generate_reply>();
  job.route = open_route(
      self, all_blocks(self), /*batch=*/1, job.what->max_length(), [self, id] { begin(self, id); },
      [self, id](caf::error& reason) { fail_generation(self, id, std::move(reason)); });
  auto answer = job.answer;
  state.generations.emplace(id, std::move(job));
  return answer;
}

// -- evaluation ---------------------------------------------------------------------------------------------------

void fail_evaluation(self_pointer self, uint64_t id, caf::error reason) {
  auto found = self->state.evaluations.find(id);
  if (found == self->state.evaluations.end()) return;
  self->send(found->second.route, close_atom::value);
  found->second.answer.deliver(std::move(reason));
  self->state.evaluations.erase(found);
}

/// Runs `hidden` through `blocks` in a session of its own; `then` gets what comes out.
template <class Then>
void pass_through(self_pointer self, uint64_t id, model::block_range blocks, model::tensor hidden, Then then) {
  auto& job = self->state.evaluations.at(id);
  auto failed = [self, id](caf::error& reason) { fail_evaluation(self, id, std::move(reason)); };
  auto batch = static_cast<uint32_t>(hidden.dim(0)), tokens = static_cast<uint32_t>(hidden.dim(1));
  job.route = open_route(
      self, blocks, batch, tokens,
      [self, id, hidden, then, failed] {
        auto found = self->state.evaluations.find(id);
        if (found == self->state.evaluations.end()) return;
        self->request(
                found->second.route, forward_timeout, forward_atom::value,
                forward_request{0, hidden, rows_wanted::all, {}})
            .then(
                [self, id, then](forward_reply& reply) {
                  auto again = self->state.evaluations.find(id);
                  if (again == self->state.evaluations.end()) return;
                  self->send(again->second.route, close_atom::value);
                  try {
                    then(std::move(reply.hidden));
                  } catch (const std::exception& e) {
                    fail_evaluation(self, id, make_error(errc::compute_failed, e.what()));
                  }
                },
                failed);
      },
      failed);
}

void evaluate_block(self_pointer self, uint64_t id, model::tensor hidden) {
  auto& job = self->state.evaluations.at(id);
  if (!job.order.hidden || job.next_block == self->state.settings->ends->num_blocks()) {
    job.answer.deliver(std::move(job.reply));
    self->state.evaluations.erase(id);
    return;
  }
  model::block_range block{job.next_block, job.next_block + 1};
  ++job.next_block;
  pass_through(self, id, block, std::move(hidden), [self, id](model::tensor output) {
    self->state.evaluations.at(id).reply.block_outputs.push_back(output);
    evaluate_block(self, id, std::move(output));
  });
}

caf::result<evaluate_reply> evaluate(self_pointer self, evaluate_order& order) {
  auto& state = self->state;
  auto id = order.id;
  if (state.evaluations.contains(id)) return make_error(errc::bad_request, "an order with this id is under way");
  evaluating job;
  try {
    job.reply.embeddings = state.settings->ends->embed(order.input_ids);
  } catch (const std::exception& e) {
    return make_error(errc::bad_request, e.what());
  }
  job.order = std::move(order);
  job.answer = self->make_response_promise<evaluate_reply>();
  auto answer = job.answer;
  auto embeddings = job.reply.embeddings;
  state.evaluations.emplace(id, std::move(job));
  // Logits come through the whole chain; single blocks, where asked for, through sessions of their own after that.
  pass_through(self, id, all_blocks(self), embeddings, [self, id, embeddings](model::tensor output) {
    auto& reply = self->state.evaluations.at(id).reply;
    auto& ends = *self->state.settings->ends;
    reply.final_norm = ends.final_norm(output);
    reply.logits = ends.logits(output);
    evaluate_block(self, id, embeddings);
  });
  return answer;
}

void stop(self_pointer self, uint64_t id) {
  auto reason = make_error(errc::cancelled, "the caller gave up");
  fail_generation(self, id, reason);
  fail_evaluation(self, id, reason);
}

void end(self_pointer self) {
  std::vector<uint64_t> ids;
  for (auto& [id, job] : self->state.generations) ids.push_back(id);
  for (auto& [id, job] : self->state.evaluations) ids.push_back(id);
  for (auto id : ids) stop(self, id);
  self->quit();
}

client_actor::behavior_type client(self_pointer self, const client_settings& settings) {
  self->state.settings = settings;
  return {
      [self](generate_atom, generate_order& order) { return generate(self, order); },
      [self](forward_atom, evaluate_order& order) { return evaluate(self, order); },
      [self](stop_atom, uint64_t id) { stop(self, id); }, [self](close_atom) { end(self); }};
}

}  // namespace

client_actor spawn_client(caf::actor_system& system, client_settings settings) {
  return spawn_stateful<caf::detached>(system, client, std::move(settings));
}

}  // namespace corolla::actors
