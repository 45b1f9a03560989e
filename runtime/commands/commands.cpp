#include "runtime/commands/commands.hpp"

namespace corolla::runtime::commands {

std::span<const command> all() {
  static constexpr command list[] = {
      {"node", "serves blocks of a model to a swarm", node, /*computes=*/true},
      {"generate", "continues a text, through a swarm or in this process", generate, /*computes=*/true},
      {"eval", "writes logits and hidden states, and tells the perplexity", eval, /*computes=*/true},
      {"swarm", "tells who serves which blocks, and how fast, or what their sessions have done", swarm},
      {"route", "tells which servers a client would choose now, and why", route},
      {"drain", "asks a server to leave once its sessions have moved to others", drain},
      {"inspect", "tells what a model file holds", inspect},
      {"tokenize", "turns text into ids, or ids into text", tokenize},
      {"keys", "makes and shows the keys and certificates of private swarms", keys},
      {"make-model", "writes a random model in a real shape, for measurements", make_model},
      {"bench", "measures links, decoding, prompts and batches", bench, /*computes=*/true},
      {"fault-proxy", "stands before a node as a bad network, for tests", fault_proxy},
  };
  return list;
}

}  // namespace corolla::runtime::commands
