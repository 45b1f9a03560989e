// A session in virtual time against any upstream, client, next hop and block, and any passing of time: an input is a
// list of what they do.  Whatever that is, the session applies steps in their order and each once, hands on what they
// give and nothing else, keeps its log within its room and its window, answers everybody, and leaves nothing behind.
#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "actors/block_actor.hpp"
#include "tests/fuzz/fuzz_input.hpp"
#include "tests/fuzz/session_judge.hpp"
#include "tests/fuzz/session_ways.hpp"

namespace {

using namespace corolla;
using namespace corolla::tests;

constexpr uint32_t max_length = 16;
constexpr auto step_timeout = 10s;
const auto other_upstream = peer(3), unknown = peer(5);

class scene : private surroundings {
 public:
  explicit scene(fuzz_input& in) : in_{in}, config_{make_config()} {
    const reserve_request room{config_.blocks, config_.batch, config_.max_length, 0ms};
    config_.cache = asker.ask<uint64_t>(block, reserve_atom::value, room)->value.value();
    session_ = spawn_session(time.system(), config_);
    judge_.emplace(config_);
    if (in_.byte() % 4 != 0) attach();
  }
  void run() {
    while (!in_.empty() && !over_) {
      const auto what = in_.byte();
      act(what % 18);
      // Otherwise it mixes with what comes next.
      if (what < 192) check();
    }
    finish();
  }

 private:
  session_config make_config() {
    const auto flags = in_.byte(), more = in_.byte();
    session_config c;
    c.id.bytes.fill(7);
    c.client = client_peer;
    c.upstream = flags & 1 ? client_peer : other_upstream;
    c.restorer = flags & 2 ? c.upstream : finder;
    c.next = {finder, {}, edge};
    c.epoch = edge;
    c.last_hop = (flags & 4) != 0;
    c.restoring = (flags & 8) != 0;
    c.next_restoring = c.restoring && (flags & 16) != 0;
    c.done = c.restoring ? 3 : 0;
    c.prompt_tokens = flags & 32 ? 2 : 0;
    c.batch = flags & 64 ? 2 : 1;
    c.wire = flags & 128 ? model::dtype::bfloat16 : model::dtype::float32;
    c.blocks = {0, 2u + more % 2};
    c.max_length = max_length;
    c.hidden_size = hidden_size;
    c.cache_bytes = fake_span::cache_bytes;
    c.block = block;
    c.connector = connects;
    c.events = events;
    // As a node reserves it, or so little that the log gets full.
    c.log_bytes = uint64_t{c.batch} * max_length * hidden_size * model::size_of(c.wire) >> (more >= 250 ? 1 : 0);
    c.step_timeout = step_timeout;
    return c;
  }

  // -- what is done -------------------------------------------------------------------------------------------------

  void act(uint8_t what) {
    switch (what) {
      case 0:
      case 1:
        return send(next_step());
      case 2:
        return send(in_.byte() % 2 == 0 ? recent_ : next_step());
      case 3:
        return send(any_step());
      case 4:
        return send(next_rows());
      case 5:
        return send(next_part());
      case 6:
        return prompts();
      case 7:
        return accept();
      case 8:
        return ask(restore_atom::value, restore_request{target(), near(sent_seq_)});
      case 9:
        return relink();
      case 10:
        return ask(prepare_atom::value, target());
      case 11:
        return ask(hand_over_atom::value, hand_over_request{target(), near(sent_seq_), in_.byte() % (max_length + 2u)});
      case 12:
      case 13:
        return next_hop();
      case 14:
        return refuse();
      case 15:
        return time.pass(in_.byte() % 8 == 0 ? 11s : std::chrono::milliseconds{in_.byte()});
      case 16:
        return run_some(in_.byte());
      default:
        return seldom(in_.byte());
    }
  }

  void seldom(uint8_t what) {
    switch (what % 16) {
      case 0:
        return tell(close_atom::value);
      case 1:
        return tell(leaving_atom::value);
      case 2:
        span->next_failure = "made to fail";
        return;
      case 3:
        return caf::anon_send_exit(block, caf::exit_reason::kill);
      case 4:
        return caf::anon_send_exit(events, caf::exit_reason::kill);
      case 5:
        return caf::anon_send_exit(session_, caf::exit_reason::kill);
      case 6:
      case 7:
        found->silent = !found->silent;
        return;
      case 8:
        *stop = true;
        return;
      default:
        return attach();
    }
  }

  void attach() {
    if (std::exchange(attached_, true)) return;
    auto& way = found->ways.emplace_back();
    way.to = config_.next;
    way.end = time.system().spawn(sink, way.log);
    tell(attach_atom::value, edge_actor{way.end});
  }

  uint64_t near(uint64_t number) { return number + in_.byte() % 5 - std::min<uint64_t>(number, 2); }
  errc code() { return static_cast<errc>(1 + in_.byte() % static_cast<uint8_t>(last_errc)); }
  edge_target target() {
    edge_target to{in_.byte() % 8 == 0 ? unknown : finder, {}, newest_ + in_.byte() % 4};
    newest_ = std::max(newest_, to.epoch);
    return to;
  }
  model::tensor tensor_of(model::shape dims) {
    std::vector<float> values(static_cast<size_t>(*model::num_elements(dims)));
    for (auto& value : values) value = static_cast<float>((next_number_ += 7) % 251);
    if (in_.byte() == 255 && !values.empty()) values.back() = std::numeric_limits<float>::infinity();
    return model::tensor::of<float>(std::move(dims), values);
  }
  model::tensor rows_of(int64_t tokens) { return tensor_of({config_.batch, tokens, hidden_size}); }
  std::vector<uint32_t> order() { return {in_.byte() % config_.batch, in_.byte() % config_.batch}; }

  /// One that is taken, unless something was refused before.
  step next_step() {
    const auto flags = in_.byte();
    step s;
    s.epoch = epoch_;
    s.seq = ++sent_seq_;
    s.done = flags & 3 ? sent_seq_ - 1 : done_;
    s.position = (flags & 12) == 12 ? in_.byte() % (sent_position_ + 1) : sent_position_;
    s.wanted = static_cast<rows_wanted>(flags / 16 % 3);
    if (config_.batch == 2 && flags >= 224) s.hypo_ids = order();
    s.hidden = rows_of((flags & 48) == 48 ? in_.byte() % 6 : 1);
    if (config_.wire == model::dtype::bfloat16) s.hidden = s.hidden.to(config_.wire);
    s.from = upstream_;
    sent_position_ = s.position + static_cast<uint32_t>(s.hidden.dim(1));
    done_ = s.done;
    recent_ = s;
    return s;
  }

  step any_step() {
    step s;
    s.epoch = near(epoch_);
    s.seq = near(sent_seq_);
    s.done = near(done_);
    s.position = in_.byte() % (max_length + 2u);
    s.wanted = static_cast<rows_wanted>(in_.byte() % 3);
    if (in_.byte() % 4 == 0) s.hypo_ids = {in_.byte() % 3u, in_.byte() % 3u};
    s.restores = static_cast<restored_part>(in_.byte() % 4);
    s.until = in_.byte() % (max_length + 2u);
    s.block = in_.byte() % 4;
    const model::shape dims{1 + in_.byte() % 2, in_.byte() % 6, in_.byte() % 4 == 0 ? 1 : hidden_size};
    s.hidden = in_.byte() % 8 == 0 ? tensor_of({dims[0], dims[1]}) : tensor_of(dims);
    s.from = std::array{upstream_, config_.restorer, client_peer, stranger}.at(in_.byte() % 4);
    return s;
  }

  step restored(restored_part part, int64_t tokens, int64_t width) {
    step s;
    s.epoch = epoch_;
    s.seq = s.done = config_.done;
    s.position = restored_;
    s.restores = part;
    s.until = restored_until_;
    s.block = part_block_;
    s.hidden = tensor_of({config_.batch, tokens, width});
    s.from = config_.restorer;
    return s;
  }
  step next_rows() {
    const auto tokens = std::min(1 + in_.byte() % 4u, restored_until_ - std::min(restored_, restored_until_));
    auto s = restored(restored_part::rows, tokens, hidden_size);
    restored_ += tokens;
    return s;
  }
  /// Keys and values of one block after the other, then the outputs.
  step next_part() {
    const auto tokens = std::min(3u, restored_until_ - std::min(restored_, restored_until_));
    const bool is_cache = part_block_ < config_.blocks.end;
    auto s = restored(is_cache ? restored_part::cache : restored_part::outputs, tokens, is_cache ? 1 : hidden_size);
    if (!is_cache) s.hidden = s.hidden.to(config_.wire);
    if (is_cache) ++part_block_;
    if (is_cache && (part_block_ < config_.blocks.end || !config_.last_hop)) return s;
    part_block_ = config_.blocks.begin;
    restored_ += tokens;
    return s;
  }

  void send(step s) {
    auto answer = asker.start<taken>(session_, step_atom::value, s);
    judge_->sent(std::move(s), std::move(answer));
  }
  void prompts() {
    const auto kind = in_.byte();
    auto given = tensor_of({config_.blocks.size(), kind % 8 == 7 ? 3 : 2, hidden_size});
    judge_->sent_prompts(given, asker.start<taken>(session_, prompts_atom::value, given));
  }
  void accept() {
    attach();  // a client can ask for nothing before
    const accept_request request{near(epoch_ + 1), in_.byte() % 2 ? client_peer : other_upstream};
    const auto answer = asker.start<accepted>(session_, accept_atom::value, request);
    time.settle();
    if (!answer->value) return;
    REQUIRE(request.epoch > epoch_);
    epoch_ = request.epoch;
    upstream_ = request.upstream;
    sent_seq_ = answer->value->last;
    sent_position_ = answer->value->position;
  }
  void relink() {
    const auto to = target();
    relink(to, near(sent_seq_));
  }
  void relink(const edge_target& to, uint64_t last) {
    attach();  // a client can ask for nothing before
    relinks_.emplace_back(to.epoch, last, asker.start<taken>(session_, relink_atom::value, relink_request{to, last}));
  }
  template <class Atom, class Request>
  void ask(Atom what, const Request& request) {
    attach();  // a client can ask for nothing before
    asked_.push_back(asker.start<taken>(session_, what, request));
  }
  template <class... Args>
  void tell(Args... args) {
    caf::anon_send(session_, std::move(args)...);
  }

  void next_hop() {
    const auto which = in_.byte(), what = in_.byte();
    if (found->ways.empty()) return;
    auto& way = found->ways[which % found->ways.size()];
    auto& log = *way.log;
    if (what < 64) log.hold = !log.hold;
    if (what >= 64 && what < 160 && !log.untaken.empty()) caf::anon_send(way.end, tick_atom::value);
    if (what >= 160 && what < 200) log.refusal = {};
    if (what >= 200 && what < 240) {
      const auto why = code();
      log.refusal = make_error(why, "no", near(way.last));
      way.rewinds |= why == errc::gap;
    }
    if (what >= 240) caf::anon_send_exit(way.end, caf::exit_reason::kill);
  }

  /// The next hop says no to what it had taken.
  void refuse() {
    const step_refused why{near(newest_), near(sent_seq_), near(sent_seq_), code(), "no"};
    for (auto& way : found->ways) way.rewinds |= why.code == errc::gap;
    tell(refused_atom::value, why);
  }

  void run_some(uint8_t messages) {
    for (int i = 0; i < messages && time.scheduler().try_run_once(); ++i) {
    }
  }

  // -- what must hold -----------------------------------------------------------------------------------------------

  void check() {
    time.settle();
    const auto now = asker.ask<session_status>(session_, status_atom::value);
    over_ = !now->value;
    judge_->follow(over_);
    for (const auto& [epoch, last, answer] : relinks_)
      if (answer->value) relinked_[epoch] = last;
    for (auto& way : found->ways) way.check(*judge_, relinked_);
    check_events();
    if (over_) {
      REQUIRE(judge_->is_all_answered());
      return;
    }
    check_status(*now->value);
    if (!judge_->is_all_answered()) return;
    sent_seq_ = judge_->last();
    sent_position_ = judge_->position();
  }

  void check_events() {
    uint64_t last = 0;
    for (const auto& event : client->done) REQUIRE(std::exchange(last, event.seq) < event.seq);
    REQUIRE(client->failed.size() <= 1 && client->restored.size() <= 1);
    for (const auto& event : client->failed) REQUIRE(!event.text.empty());
  }

  void check_status(const session_status& now) {
    REQUIRE(now.epoch == epoch_ && now.log_bytes <= config_.log_bytes && client->failed.empty());
    REQUIRE(now.last >= judge_->last() && now.steps == now.last - config_.done);
    if (!judge_->is_all_answered()) return;
    // Each step was computed once.
    size_t computed = 0;
    for (const auto& pass : span->passes) computed += pass.size();
    REQUIRE(now.last == judge_->last() && computed == now.steps + judge_->restored_steps());
  }

  /// Nothing stands in its way any more.
  void finish() {
    check();
    found->silent = false;
    for (auto& way : found->ways) {
      way.log->hold = false;
      way.log->refusal = {};
      for (auto left = way.log->untaken.size(); left > 0; --left) caf::anon_send(way.end, tick_atom::value);
    }
    time.pass(1min);
    check();
    if (!over_) {
      relink({finder, {}, ++newest_}, sent_seq_applied());
      if (config_.prompt_tokens > 0) prompts();
      time.pass(1min);
      check();
    }
    if (!over_) {
      REQUIRE(judge_->is_all_answered() && std::get<2>(relinks_.back())->value);
      for (const auto& answer : asked_) REQUIRE(!answer->pending());
      for (const auto& relink : relinks_) REQUIRE(!std::get<2>(relink)->pending());
      tell(close_atom::value);
      check();
    }
    REQUIRE(over_ && (span->destroyed || span->used_tokens == 0));
  }
  uint64_t sent_seq_applied() { return asker.ask<session_status>(session_, status_atom::value)->value->last; }

  fuzz_input& in_;
  session_config config_;
  new_session_actor session_;
  std::optional<session_judge> judge_;

  // What an honest client and upstream would know.
  uint64_t epoch_ = edge;
  peer_id upstream_ = config_.upstream;
  uint64_t newest_ = edge;
  uint64_t sent_seq_ = config_.done;
  uint32_t sent_position_ = 0;
  step recent_;  // the latest that was to be taken
  uint64_t done_ = config_.done;
  uint32_t restored_ = 0;
  uint32_t restored_until_ = 5;
  uint32_t part_block_ = 0;
  uint32_t next_number_ = 0;

  bool attached_ = false;
  bool over_ = false;
  std::vector<answer_ptr<taken>> asked_;
  std::vector<std::tuple<uint64_t, uint64_t, answer_ptr<taken>>> relinks_;  // epoch, last
  std::map<uint64_t, uint64_t> relinked_;                                   // those that were done
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz_input in{data, size};
  scene{in}.run();
  return 0;
}
