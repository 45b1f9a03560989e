// A service that holds a corolla client: two texts are generated side by side, through a swarm where peers are named,
// else in this process.
//   embed_client MODEL PROMPT [PEER...]
#include <functional>
#include <future>
#include <iostream>
#include <string>

#include "runtime/client.hpp"

namespace {

using namespace corolla;

runtime::generated continue_text(runtime::client& client, const std::string& prompt, float temperature) {
  model::generation_request request;
  request.prompt = client.tokenizer()->encode(prompt, /*add_special=*/true);
  request.max_new_tokens = 12;
  request.sampling.temperature = temperature;
  request.sampling.seed = 1;
  return client.generate(request);
}

int run(const std::string& model, const std::string& prompt, std::vector<std::string> peers) {
  runtime::client_options options;
  options.model = model;
  options.local = peers.empty();
  options.peers = std::move(peers);
  const auto client = runtime::client::make(options);
  if (client->tokenizer() == nullptr) throw runtime::client_error("the model brings no tokenizer");
  auto careful = std::async(std::launch::async, continue_text, std::ref(*client), prompt, 0.0f);
  auto playful = std::async(std::launch::async, continue_text, std::ref(*client), prompt, 1.0f);
  std::cout << prompt << careful.get().text << '\n' << prompt << playful.get().text << '\n';
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: embed_client MODEL PROMPT [PEER...]\n";
    return 2;
  }
  try {
    return run(argv[1], argv[2], {argv + 3, argv + argc});
  } catch (const std::exception& error) {
    std::cerr << "embed_client: " << error.what() << '\n';
    return 1;
  }
}
