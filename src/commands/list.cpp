// list: every name that a config can use, with one line about it and its source; and every option
// of one of them.
//
//   edmund list [FAMILY [NAME]] [--json]

#include "edmund/commands/command.h"
#include "edmund/core/json_text.h"
#include "edmund/core/text.h"
#include "edmund/generation/presets.h"
#include "explain.h"

#include <algorithm>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

namespace edmund {
namespace {

using nlohmann::ordered_json;

std::string line_of(const Family& family, std::size_t i) {
  const Description& entry = family.entries[i];
  return std::string(entry.about) + (family.more.empty() ? "" : ", " + family.more[i]) +
         (entry.source == "-" ? "" : format("  [{}]", entry.source));
}

ordered_json json_of(const Family& family, std::size_t i) {
  const Description& entry = family.entries[i];
  ordered_json row = {{"name", entry.name}, {"about", entry.about}, {"source", entry.source}};
  if (!family.more.empty()) row["order"] = family.more[i];
  return row;
}

void print(const Family& family) {
  std::cout << family.name << "  (" << family.key << ")\n";
  std::size_t width = 0;
  for (const auto& entry : family.entries) width = std::max(width, entry.name.size());
  for (std::size_t i = 0; i < family.entries.size(); ++i) {
    const std::string name(family.entries[i].name);
    std::cout << "  " << name << std::string(width + 2 - name.size(), ' ') << line_of(family, i) << '\n';
  }
}

std::string_view preset_of(const Family& family, std::string_view name) {
  for (const auto& preset : preset_table())
    if (family.name == "presets" && preset.name == name) return preset.yaml;
  return {};
}

// One entry with its options.
void show(const Family& family, std::size_t i, bool as_json) {
  const std::string_view name = family.entries[i].name, preset = preset_of(family, name);
  const auto options = help_of(family, name);
  if (as_json) {
    ordered_json row = json_of(family, i);
    row["options"] = json_of(options);
    if (!preset.empty()) row["yaml"] = preset;
    std::cout << json_text(row, 2) << '\n';
    return;
  }
  std::cout << name << "  (" << family.key << ")\n  " << line_of(family, i) << '\n';
  const auto lines = lines_of(options, families());
  if (!lines.empty()) std::cout << "\noption, default, what it accepts\n" << text_of(lines);
  if (lines.empty() && preset.empty()) std::cout << "\nno options\n";
  std::cout << preset;
}

// The families that have an entry of this name, and its place.
std::vector<std::pair<const Family*, std::size_t>> with_entry(const std::vector<Family>& all, std::string_view name) {
  std::vector<std::pair<const Family*, std::size_t>> out;
  for (const Family& family : all)
    for (std::size_t i = 0; i < family.entries.size(); ++i)
      if (family.entries[i].name == name) out.emplace_back(&family, i);
  return out;
}

}  // namespace

Action make_list(CLI::App& arguments) {
  const auto wanted = std::make_shared<std::string>(), name = std::make_shared<std::string>();
  const auto json = std::make_shared<bool>(false);
  arguments.add_option("family", *wanted, "schedules, samplers, grids …, or the name of an entry (default: all)");
  arguments.add_option("name", *name, "one of them: its options with defaults, ranges and meaning");
  arguments.add_flag("--json", *json, "as JSON");
  return [=] {
    std::vector<Family> all = families();
    std::vector<std::string_view> known;
    known.reserve(all.size());
    for (const auto& family : all) known.push_back(family.name);
    if (!wanted->empty() && name->empty() && std::ranges::find(known, *wanted) == known.end()) {
      const auto found = with_entry(all, *wanted);
      std::string several;
      for (const auto& [family, entry] : found) several += (several.empty() ? "" : ", ") + std::string(family->name);
      require(found.size() < 2, "edmund list: '{}' is a name in {}; say which: `edmund list {} {}`", *wanted, several,
              found.empty() ? "" : found.front().first->name, *wanted);
      if (!found.empty()) {
        show(*found.front().first, found.front().second, *json);
        return ExitCode::kDone;
      }
    }
    if (!wanted->empty()) {
      require(std::find(known.begin(), known.end(), *wanted) != known.end(), "edmund list: unknown family '{}'{}",
              *wanted, suggestion(*wanted, known));
      std::erase_if(all, [&](const Family& family) { return family.name != *wanted; });
    }
    if (!name->empty()) {
      known.clear();
      for (const auto& entry : all.front().entries) known.push_back(entry.name);
      const auto found = std::find(known.begin(), known.end(), *name);
      require(found != known.end(), "edmund list {}: unknown name '{}'{}", *wanted, *name, suggestion(*name, known));
      show(all.front(), static_cast<std::size_t>(found - known.begin()), *json);
      return ExitCode::kDone;
    }
    ordered_json out;
    for (const auto& family : all) {
      for (std::size_t i = 0; i < family.entries.size(); ++i)
        out[std::string(family.name)].push_back(json_of(family, i));
      if (!*json) print(family);
    }
    if (*json) std::cout << json_text(out, 2) << '\n';
    return ExitCode::kDone;
  };
}

}  // namespace edmund
