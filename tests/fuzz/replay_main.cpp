// A fuzz target without a fuzzer: runs each file of the folders that it is given, once.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

std::vector<uint8_t> read(const std::filesystem::path& file) {
  std::ifstream in{file, std::ios::binary};
  std::vector<uint8_t> bytes{std::istreambuf_iterator<char>{in}, {}};
  // Exactly as large as the input, so that a sanitizer sees what reads beyond it.
  bytes.shrink_to_fit();
  return bytes;
}

}  // namespace

int main(int argc, char** argv) {
  int inputs = 0;
  for (int i = 1; i < argc; ++i)
    for (auto& entry : std::filesystem::directory_iterator{argv[i]}) {
      // Named beforehand: an input that crashes the target is the last in the output.
      std::printf("%s\n", entry.path().c_str());
      std::fflush(stdout);
      auto bytes = read(entry.path());
      LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
      ++inputs;
    }
  std::printf("%d inputs\n", inputs);
  return inputs > 0 ? 0 : 1;
}
