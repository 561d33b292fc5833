// The entry of LibFuzzer for one loader, EDMUND_FUZZ_TARGET. At its start it writes the whole files
// that mutations begin from into the folder that EDMUND_FUZZ_SEEDS names, if it does.
#include "edmund/core/log.h"
#include "fuzz/targets.h"
#include "support/temporary_folder.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <fstream>

namespace {

using namespace edmund::testing;

const FuzzTarget& target() {
  return *std::ranges::find(fuzz_targets(), std::string_view(EDMUND_FUZZ_TARGET), &FuzzTarget::name);
}

const std::filesystem::path& folder() {
  static const TemporaryFolder folder;
  return folder.path();
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  edmund::log::set_level(edmund::log::Level::kOff);
  if (const char* seeds = std::getenv("EDMUND_FUZZ_SEEDS")) {
    std::filesystem::create_directories(seeds);
    const TemporaryFolder scratch;
    int number = 0;
    for (const std::string& bytes : target().seeds(scratch.path()))
      std::ofstream(std::filesystem::path(seeds) / ("seed-" + std::to_string(number++)), std::ios::binary) << bytes;
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz_one(target(), {reinterpret_cast<const char*>(data), size}, folder());
  return 0;
}
