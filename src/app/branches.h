#pragma once

#include "edmund/app/run.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace edmund {

/// Settings that differ: before and now, by key.
using SettingChanges = std::map<std::string, std::pair<std::string, std::string>>;

/// What differs between all values in use of `stored`, a resolved config, and of the experiment, of
/// what a training depends on: how long it is, what it reports, how it samples and where it stops
/// do not count.
SettingChanges changed_settings(const std::string& stored, const Experiment& experiment);
/// "KEY (A there, B here), …".
std::string text_of(const SettingChanges& changes);

/// A moment at which a run went on with other settings (`edmund train --from`): an entry of its
/// branches.json.
struct Branch {
  std::int64_t images = 0;  // position; 0: it began anew
  std::string aside;        // folder in the run with what was trained past it before
  SettingChanges changes;
};
/// Those of a run, in order. Entries that are damaged are left out.
std::vector<Branch> branches_of(const RunFolder& run);
void add_branch(const RunFolder& run, const Branch& branch);

/// The branch that has just begun at this position; null if the last one began elsewhere.
const Branch* branch_at(const std::vector<Branch>& branches, std::int64_t images);

}  // namespace edmund
