// Every loader on mutations of whole files: it reads them or throws Error. EDMUND_MUTATIONS=1000000
// asks for so many of each loader. What a fuzzer of LibFuzzer finds goes further: see README.md.
#include "edmund/core/error.h"
#include "edmund/core/log.h"
#include "fuzz/targets.h"
#include "support/catch.h"
#include "support/temporary_folder.h"

#include <algorithm>
#include <cstdlib>
#include <random>

namespace edmund::testing {
namespace {

using Random = std::mt19937_64;

// A few changes: bits, bytes, numbers that are large, parts that are cut, copied, repeated.
std::string mutated(std::string bytes, const std::string& other, Random& random) {
  const auto below = [&](std::size_t limit) {
    return static_cast<std::size_t>(random() % std::max<std::size_t>(limit, 1));
  };
  for (std::size_t count = 1 + below(4); count > 0; --count) {
    const std::size_t at = below(bytes.size());
    switch (random() % 8) {
      case 0:
        if (!bytes.empty()) bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8)));
        break;
      case 1:
        if (!bytes.empty()) bytes[at] = static_cast<char>(random());
        break;
      case 2: bytes.resize(at); break;
      case 3: bytes.insert(at, bytes.substr(below(bytes.size()), below(40))); break;
      case 4: bytes.erase(at, below(12)); break;
      case 5: {  // a number as it might stand in a header
        constexpr std::uint64_t kNumbers[] = {0,      1,          0x7f,       0xff,       0x7fff,
                                              0xffff, 0x7fffffff, 0xffffffff, ~0ull >> 1, ~0ull};
        const std::uint64_t number = kNumbers[below(std::size(kNumbers))];
        for (std::size_t i = 0; i < 8 && at + i < bytes.size(); ++i)
          bytes[at + i] = static_cast<char>(number >> (8 * i));
        break;
      }
      case 6: bytes = bytes.substr(0, at) + other.substr(below(other.size())); break;
      default: {  // a digit, where text stands
        const std::size_t digit = bytes.find_first_of("0123456789", at);
        if (digit != std::string::npos) bytes.insert(digit, std::to_string(random()));
      }
    }
  }
  return bytes;
}

}  // namespace

TEST_CASE("whatever bytes a loader is given, it reads them or says that it cannot", "[fuzz]") {
  const char* const asked = std::getenv("EDMUND_MUTATIONS");
  const std::int64_t count = asked != nullptr ? std::atoll(asked) : 1500;
  log::set_level(log::Level::kOff);
  for (const FuzzTarget& target : fuzz_targets()) {
    const TemporaryFolder folder, scratch;
    const std::vector<std::string> seeds = target.seeds(scratch.path());
    REQUIRE(!seeds.empty());
    for (const std::string& seed : seeds) {
      INFO(target.name);
      CHECK_NOTHROW(target.read(seed, folder.path()));
    }
    Random random(20261129);
    for (std::int64_t i = 0; i < count; ++i) {
      const std::string bytes = mutated(seeds[random() % seeds.size()], seeds[random() % seeds.size()], random);
      try {
        fuzz_one(target, bytes, folder.path());
      } catch (const std::exception& error) {
        FAIL_CHECK(target.name << ", mutation " << i << ": " << error.what());
      }
    }
  }
  log::set_level(log::Level::kInfo);
}

}  // namespace edmund::testing
