#pragma once

#include <cstdint>

// How counters and keys of the random numbers are laid out. Plain data without functions: the CPU's
// kernels include it, which are compiled for several instruction sets and must not share inline
// functions.
namespace edmund {

/// Constants of Philox4x32-10 (Salmon et al. 2011, table 2).
constexpr int kPhiloxRounds = 10;
constexpr std::uint32_t kPhiloxMultiplier0 = 0xD2511F53, kPhiloxMultiplier1 = 0xCD9E8D57;
// added to the key after each round
constexpr std::uint32_t kPhiloxWeyl0 = 0x9E3779B9, kPhiloxWeyl1 = 0xBB67AE85;

/// Key and words 1 to 3 of the counter; word 0 counts blocks of four words.
struct PhiloxKey {
  std::uint32_t key[2] = {}, counter[3] = {};
};

}  // namespace edmund
