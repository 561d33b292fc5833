#include "branches.h"

#include "edmund/core/files.h"
#include "edmund/core/json_text.h"
#include "edmund/core/parsed_json.h"
#include "edmund/training/checkpoint.h"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

namespace edmund {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

// Where the data lies is free, what its files are called is not.
std::string file_name(std::string value) {
  std::erase(value, '"');
  return fs::path(value).filename().string();
}

fs::path file_of(const RunFolder& run) { return run.path / "branches.json"; }

json read(const RunFolder& run) {
  if (!fs::exists(file_of(run))) return json::array();
  const json all = parsed_json<json>(read_file(file_of(run)));
  return all.is_array() ? all : json::array();
}

std::string text_in(const json& value, const char* key) {
  const json& found = member(value, key);
  return found.is_string() ? found.get<std::string>() : "";
}

}  // namespace

SettingChanges changed_settings(const std::string& stored, const Experiment& experiment) {
  const auto before = Options::read_text(stored, "checkpoint").flattened();
  const Options& options = experiment.config.options;
  const auto now = Options::read_text(options.resolved(), "config").flattened();
  // keys with their default, which is what was done before there was such a key
  std::set<std::string> usual;
  for (const OptionFacts& fact : options.facts())
    if (!fact.is_chosen || fact.value == fact.fallback) usual.insert(fact.path);
  static constexpr std::string_view kFree[] = {
      "name", "kernels", "conv", "device", "precision", "graphs", "sampling.", "evaluation.", "data.root", "data.file",
      // what it changes, the fingerprint tells
      "data.damaged", "image.class_counts", "training.check", "training.data_changed", "training.images",
      "training.loader_threads", "training.validation.", "training.keep_checkpoints", "training.save_patience",
      "training.log_every", "training.checkpoint_every", "training.ema_tracks_every", "training.samples_every",
      "training.sample_rows", "training.max_walltime", "training.max_skipped", "training.max_rise"};
  const auto free = [](std::string_view key) {
    return std::any_of(std::begin(kFree), std::end(kFree), [&](auto prefix) { return key.starts_with(prefix); });
  };
  SettingChanges out;
  for (const auto& [key, value] : now) {
    const auto found = before.find(key);
    const bool is_file = key == "data.images" || key == "data.labels";
    const bool is_same = found == before.end() ? usual.contains(key)
                         : is_file             ? file_name(found->second) == file_name(value)
                                               : found->second == value;
    if (!free(key) && !is_same) out[key] = {found == before.end() ? "none" : found->second, value};
  }
  return out;
}

std::string text_of(const SettingChanges& changes) {
  std::string out;
  for (const auto& [key, values] : changes)
    out += format("{}{} ({} there, {} here)", out.empty() ? "" : ", ", key, values.first, values.second);
  return out;
}

std::vector<Branch> branches_of(const RunFolder& run) {
  std::vector<Branch> out;
  for (const json& entry : read(run)) {
    const json& images = member(entry, "from_images");
    if (!images.is_number_integer()) continue;
    Branch branch{.images = images, .aside = text_in(entry, "aside"), .changes = {}};
    if (const json& changed = member(entry, "changed"); changed.is_object())
      for (const auto& [key, values] : changed.items())
        branch.changes[key] = {text_in(values, "before"), text_in(values, "after")};
    out.push_back(std::move(branch));
  }
  return out;
}

void add_branch(const RunFolder& run, const Branch& branch) {
  ordered_json entry = {{"from_images", branch.images}, {"aside", branch.aside}, {"changed", ordered_json::object()}};
  for (const auto& [key, values] : branch.changes)
    entry["changed"][key] = {{"before", values.first}, {"after", values.second}};
  ordered_json all = read(run);
  all.push_back(std::move(entry));
  write_file(file_of(run), json_text(all, 1) + "\n");
}

const Branch* branch_at(const std::vector<Branch>& branches, std::int64_t images) {
  return !branches.empty() && branches.back().images == images ? &branches.back() : nullptr;
}

void require_same_training(const Experiment& experiment, const RunFolder& run) {
  const auto newest = newest_checkpoint(run.path);
  if (!newest) return;
  const Checkpoint header = read_header(*newest);
  SettingChanges changes = changed_settings(header.resolved.empty() ? header.config : header.resolved, experiment);
  // where a branch begins, the checkpoint still has the settings before it
  const auto branches = branches_of(run);
  if (const Branch* branch = branch_at(branches, header.images))
    std::erase_if(changes, [&](const auto& change) {
      const auto agreed = branch->changes.find(change.first);
      return agreed != branch->changes.end() && agreed->second.second == change.second.second;
    });
  require(changes.empty(),
          "{}: holds another training: {}; choose another folder with --run, or go on with other settings by --from",
          run.path.string(), text_of(changes));
}

}  // namespace edmund
