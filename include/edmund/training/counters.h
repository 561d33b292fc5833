#pragma once

#include <map>
#include <string>

namespace edmund {

/// A number that a checkpoint keeps by name; `missing` if it has none, as those of older versions.
inline double counter(const std::map<std::string, double>& counters, const std::string& name, double missing = 0.0) {
  const auto found = counters.find(name);
  return found == counters.end() ? missing : found->second;
}

}  // namespace edmund
