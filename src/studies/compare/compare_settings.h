#pragma once

#include "edmund/studies/compare.h"

#include <map>
#include <string>
#include <vector>

namespace edmund {

/// The settings in which the variants of a comparison differ, as its file has them.
struct Differences {
  std::vector<std::string> keys;                 // "sampler", "grid.rho"; not the number of steps
  std::vector<std::vector<std::string>> values;  // of each variant; "as the run" where unsaid
};
Differences differences_of(const Comparison& comparison);

/// Settings of a cell as key → text.
std::map<std::string, std::string> settings_of(const CellResult& cell);

}  // namespace edmund
