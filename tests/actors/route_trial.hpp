// One fault in one generation: what is lost, where and when, and what must be true afterwards.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/actors/chain.hpp"

namespace corolla::tests {

enum class fault { kill, kill_two, stop, zombie, cut_from, cut_to, edge, error, substitute, no_room };
inline constexpr fault all_faults[] = {fault::kill,   fault::kill_two, fault::stop,  fault::zombie,     fault::cut_from,
                                       fault::cut_to, fault::edge,     fault::error, fault::substitute, fault::no_room};
inline const char* name_of(fault f) {
  constexpr const char* names[] = {"kill",   "kill_two", "stop",  "zombie",     "cut_from",
                                   "cut_to", "edge",     "error", "substitute", "no_room"};
  return names[static_cast<size_t>(f)];
}

/// Which hop a fault befalls, and when: in which turn, once the hop has computed so many steps of it, and so many
/// messages later.
struct blow {
  fault what = fault::kill;
  size_t hop = 0;
  size_t turn = 0;
  size_t steps = 0;
  size_t messages = 0;
};

class trial {
 public:
  trial(const blow& b, const course& how, uint32_t max_length, uint32_t chunk_tokens)
      : blow_{b}, chain_{how.delay}, generation_{swarm_, how.batch, max_length} {
    generation_.options.chunk_tokens = chunk_tokens;
    if (how.deep_prompts > 0) generation_.give_deep_prompts(how.deep_prompts);
    generation_.open();
    for (size_t hop = 0; hop < 3; ++hop) servers_.push_back(generation_.server_of_hop(hop));
    chain_.add_spares(b.what == fault::no_room ? uint64_t{how.batch} * max_length : 4096);
    if (b.what == fault::substitute) chain_.add_spares();
    if (b.what == fault::no_room) fill_spares();
  }

  /// What went wrong, or nothing.
  std::string run(const std::vector<turn>& turns) {
    for (size_t i = 0; i < turns.size(); ++i) {
      const bool strikes = i == blow_.turn;
      if (strikes)
        if (auto wrong = generation_.check_counters(); !wrong.empty()) return wrong;
      if (!generation_.take(turns[i], 0, strikes ? std::function<void()>{[this] { aim(); }} : nullptr))
        return "turn " + std::to_string(i) + ": " + generation_.failure;
      if (strikes && blow_.what == fault::zombie) swarm_.resume(victim());
    }
    return afterwards();
  }

 private:
  size_t victim() const { return servers_[blow_.hop]; }
  size_t neighbour() const { return blow_.hop == 2 ? 1 : blow_.hop + 1; }

  /// Somebody else has all the room that there is at the spares.
  void fill_spares() {
    holder_ = std::make_unique<generation>(swarm_, generation_.options.batch, generation_.options.max_length);
    for (size_t spare = 4; spare < swarm_.size(); ++spare) holder_->options.allow.push_back(swarm_.peer(spare));
    holder_->open();
  }

  void aim() {
    const auto wanted = swarm_.passes(victim()).size() + blow_.steps;
    missed_ = !swarm_.run_to([&] { return swarm_.passes(victim()).size() >= wanted; }, 2s);
    swarm_.run(blow_.messages);
    strike();
  }

  void strike() {
    switch (blow_.what) {
      case fault::kill:
        return swarm_.kill(victim());
      case fault::kill_two:
        swarm_.kill(victim());
        return swarm_.kill(servers_[neighbour()]);
      case fault::stop:
      case fault::zombie:
        return swarm_.stop(victim());
      case fault::cut_from:
        return swarm_.cut_from(victim());
      case fault::cut_to:
        return swarm_.cut_to(victim());
      case fault::edge:
        return swarm_.cut_between(victim(), servers_[neighbour()]);
      case fault::error:
        return swarm_.fail_once(victim());
      case fault::substitute:
        swarm_.kill(victim());
        return kill_substitute();
      case fault::no_room:
        swarm_.kill(victim());
        swarm_.pass(1s);
        return holder_->close();
    }
  }

  /// As soon as it has computed something, which is what it is restored with, if there is anything.
  void kill_substitute() {
    auto works = [&](size_t spare) { return !swarm_.passes(spare).empty(); };
    size_t spare = 4;
    auto one_works = [&] {
      for (spare = 4; spare < swarm_.size(); ++spare)
        if (works(spare)) return true;
      return false;
    };
    missed_ = missed_ || !swarm_.run_to(one_works, 2s);
    if (!missed_) swarm_.kill(spare);
  }

  std::string afterwards() {
    const auto recoveries = generation_.status().recoveries.size();
    if (missed_) return "nothing was struck";
    if (recoveries > 2) return std::to_string(recoveries) + " recoveries for one fault";
    // The last turns may have needed no substitute: that there is one shows in a while.
    swarm_.pass(blow_.what == fault::no_room ? 2s : 6s);
    auto wrong = generation_.check_counters() + check_survivors();
    generation_.close();
    swarm_.pass(1s);
    const bool stopped = blow_.what == fault::stop;
    wrong += chain_.left_behind(stopped ? std::optional{victim()} : std::nullopt);
    if (!stopped) return wrong;
    swarm_.resume(victim());
    swarm_.pass(1s);
    return wrong + swarm_.left_at(victim());
  }

  /// A hop may fall silent behind its report of a step, before the output: then it is the next one that seems to lag.
  bool may_look_late(size_t hop) const {
    const bool is_silent = blow_.what == fault::stop || blow_.what == fault::zombie || blow_.what == fault::cut_from;
    return is_silent && blow_.steps > 0 && hop == blow_.hop + 1;
  }
  /// Whoever was not struck is still there, and has computed each step once, and nothing else.
  std::string check_survivors() {
    std::string wrong;
    for (size_t hop = 0; hop < 3; ++hop) {
      const bool was_struck =
          blow_.what != fault::edge && (hop == blow_.hop || (blow_.what == fault::kill_two && hop == neighbour()));
      if (was_struck || may_look_late(hop)) continue;
      const auto name = "hop " + std::to_string(hop);
      if (generation_.server_of_hop(hop) != servers_[hop]) wrong += name + " was replaced; ";
      if (const auto passes = swarm_.passes(servers_[hop]).size(); passes != generation_.sent())
        wrong += name + " has computed " + std::to_string(passes) + " times; ";
    }
    return wrong;
  }

  blow blow_;
  chain chain_;
  virtual_swarm& swarm_ = chain_.swarm;
  generation generation_;
  std::unique_ptr<generation> holder_;
  std::vector<size_t> servers_;  // of the hops, as they were
  bool missed_ = false;
};

/// Said of a trial that failed.
inline std::string describe(const blow& b) {
  return std::string{name_of(b.what)} + " of hop " + std::to_string(b.hop) + " in turn " + std::to_string(b.turn) +
         " after " + std::to_string(b.steps) + " steps and " + std::to_string(b.messages) + " messages: ";
}

}  // namespace corolla::tests
