#pragma once

#include "edmund/core/format.h"
#include "support/file_contents.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

/// What a command has written, for the comparison with another that should have done the same.
namespace edmund::testing {

/// Content by name.
using RunResults = std::map<std::string, std::string>;

/// Takes what a clock or a folder says out of a JSON value, and the checksum that covers it.
inline void strip(nlohmann::json& value) {
  if (value.is_object())
    for (const char* key : {"seconds", "images_per_second", "folder", "grid_file", "run", "checkpoint", "checksum"})
      value.erase(key);
  if (value.is_structured())
    for (auto& part : value) strip(part);
}

/// Files of the results, by name: pictures and tensors as they are, JSON without clocks.
inline RunResults results_of(const std::filesystem::path& folder) {
  RunResults out;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string name = std::filesystem::relative(entry.path(), folder).string(),
                      ending = entry.path().extension().string();
    const bool checkpoint = name.find("checkpoints/") != name.npos;
    if (ending == ".png" || ending == ".npz" || ending == ".npy" || name == "metrics.jsonl" ||
        (checkpoint && (ending == ".safetensors" || name.ends_with("state.json"))))
      out[name] = contents(entry.path());
    if (name == "results.csv") out[name] = "";
    // their names tell time and process
    if (name.starts_with("events/") && entry.is_regular_file())
      out["size of the events"] += std::to_string(entry.file_size()) + " ";
    if (ending == ".json" && name.find("cells/") == name.npos && !checkpoint) {
      nlohmann::json value = nlohmann::json::parse(contents(entry.path()));
      strip(value);
      out[name] = value.dump(1);
    }
  }
  return out;
}

/// The same with the last checkpoint of each run alone: a stop saves one of its own, which is kept
/// in place of an older one, and one that failed is not made again once a later one is there.
inline RunResults with_last_checkpoints(RunResults results) {
  const std::string word = "checkpoints/";
  std::map<std::string, std::string> last;  // by run
  const auto split = [&](const std::string& name) {
    const auto at = name.find(word);
    return at == name.npos ? std::pair<std::string, std::string>()
                           : std::pair(name.substr(0, at + word.size()), name.substr(at + word.size(), 12));
  };
  for (const auto& [name, content] : results)
    if (const auto [run, number] = split(name); !run.empty()) last[run] = std::max(last[run], number);
  std::erase_if(results, [&](const auto& result) {
    const auto [run, number] = split(result.first);
    return !run.empty() && number != last[run];
  });
  return results;
}

/// The names of what differs, and of JSON the first lines that do.
inline std::string differences(const RunResults& found, const RunResults& expected) {
  std::string out;
  for (const auto& [name, content] : expected)
    if (!found.contains(name)) out += "missing: " + name + "\n";
  for (const auto& [name, content] : found) {
    const auto other = expected.find(name);
    if (other == expected.end()) {
      out += "more: " + name + "\n";
      continue;
    }
    if (other->second == content) continue;
    out += "different: " + name + "\n";
    if (!name.ends_with(".json")) continue;
    std::istringstream ours(content), theirs(other->second);
    std::string line, should;
    for (int count = 0; count < 4 && std::getline(ours, line) && std::getline(theirs, should);)
      if (line != should) out += format("  {} for {}\n", line, should), ++count;
  }
  return out;
}

/// Messages of a run's event files without their wall times, and without those of its speed.
inline std::vector<std::string> events_of(const std::filesystem::path& run) {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(run / "events")) {
    const std::string file = contents(entry.path());
    for (std::size_t at = 0; at < file.size();) {  // length, its checksum, message, its checksum
      std::uint64_t length = 0;
      std::memcpy(&length, file.data() + at, sizeof length);
      // the first field is the time
      const std::string message = file.substr(at + 12 + 9, length - 9);
      if (message.find("images_per_second") == message.npos) out.push_back(message);
      at += 16 + length;
    }
  }
  return out;
}

}  // namespace edmund::testing
