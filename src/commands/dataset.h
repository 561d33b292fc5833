#pragma once

#include "edmund/commands/command.h"
#include "edmund/core/options.h"
#include "edmund/data/dataset.h"

#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace edmund::dataset_actions {

/// Arguments of `edmund dataset`; each action reads its own.
struct Flags {
  std::string action;
  Target target;
  std::string out, resolution, transform;
  bool json = false;
};

/// The config that DATA names, or one that names DATA itself.
Options config_of(const Target& target);
/// Leaves all keys but these unread.
void defer_all_but(Options& root, std::initializer_list<std::string_view> read);

/// Mean and std of all pixels and by channel: for JSON, and as lines.
nlohmann::ordered_json pixels_of(const DatasetStatistics& found);
std::string pixel_lines(const DatasetStatistics& found, bool floats);

ExitCode check(const Flags& flags);

}  // namespace edmund::dataset_actions
