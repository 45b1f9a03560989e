// What the loss of a server costs a generation.
#pragma once

#include <vector>

#include "runtime/benches.hpp"

namespace corolla::runtime {

class bench_chain;
class client;

/// `recovery`: the middle of three servers is killed at positions 50, 500 and 1500 while another that holds its blocks
/// stands by: the time to the next token and its parts, and the speed of the restore beside that of the prompt.
std::vector<bench_row> bench_recovery(const bench_settings& settings);

/// Behind them: each server of three stops (SIGSTOP) at position 500, which its link does not tell for seconds: the
/// longest that the client waits for a token, and that without the restore.
std::vector<bench_row> bench_recovery_stopped(const bench_settings& settings, client& through, bench_chain& chain);

/// Its last rows: the middle server gets SIGTERM at position 1000 and hands over to another one: the parts of that, and
/// the longest that the client waits for a token meanwhile.
std::vector<bench_row> bench_recovery_leaving(const bench_settings& settings, client& through, bench_chain& chain);

/// `recovery --grid`: each server of three lost in every way, at every third step of the first 40, and at a few of them
/// with deep prompts; tokens against the golden ones where the model's folder has them, else against those of an
/// undisturbed generation in this process.
std::vector<bench_row> bench_recovery_grid(const bench_settings& settings);

/// Behind them: each server stops, or its connections are cut, at every chunk of a prompt of 300 tokens.
std::vector<bench_row> bench_recovery_chunks(const bench_settings& settings);

/// Its last rows: each server is killed, and then its substitute while that is being restored.
std::vector<bench_row> bench_recovery_substitutes(const bench_settings& settings);

}  // namespace corolla::runtime
