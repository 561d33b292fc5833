#include "dataset.h"
#include "edmund/core/json_text.h"
#include "edmund/core/log.h"
#include "edmund/core/text.h"
#include "edmund/data/image_check.h"
#include "edmund/data/image_source.h"
#include "edmund/diffusion/preconditioning.h"

#include <algorithm>
#include <iostream>
#include <map>
#include <optional>
#include <vector>

namespace edmund::dataset_actions {
namespace {

using nlohmann::ordered_json;

// Width x height x channels of images whose headers can be read, and some of each.
struct Sizes {
  struct Group {
    std::int64_t count = 0;
    std::vector<std::int64_t> first;
  };
  std::map<std::string, Group> groups;
  std::string most;  // key of the largest group
};

Sizes sizes_of(const ImageSource& source, const Examination& found) {
  constexpr std::size_t kShown = 5;
  Sizes out;
  for (std::int64_t i = 0; i < source.size; ++i) {
    if (found.faults.contains(i)) continue;
    const ImageHeader header = source.header(i);
    auto& group = out.groups[format("{}x{}, {} channels", header.width, header.height, header.channels)];
    if (group.first.size() < kShown) group.first.push_back(i);
    ++group.count;
  }
  for (const auto& [name, group] : out.groups)
    if (out.most.empty() || group.count > out.groups[out.most].count) out.most = name;
  return out;
}

// sigma_data that the config's preconditioning assumes, if it does.
std::optional<double> assumed_sigma_data(Options& root) {
  if (!root.has("preconditioning")) return {};
  Options preconditioning = root.child("preconditioning");
  make_preconditioning(preconditioning);
  return parse_real(preconditioning.value("sigma_data"));
}

DatasetInfo classes_of(const ImageSource& source) {
  DatasetInfo out{.name = source.name, .num_classes = source.num_classes, .class_names = source.class_names};
  out.class_counts.resize(static_cast<std::size_t>(source.num_classes));
  for (const auto label : source.labels) ++out.class_counts[static_cast<std::size_t>(label)];
  return out;
}

ordered_json report_of(const ImageSource& source, const Examination& found, const Sizes& sizes,
                       const DatasetInfo& classes) {
  ordered_json out = {{"data", source.name}, {"images", source.size}};
  out["damaged"] = ordered_json::array();
  for (const auto& [i, reason] : found.faults) out["damaged"].push_back(reason);
  for (const auto& [name, group] : sizes.groups) out["sizes"][name] = group.count;
  out["duplicates"] = ordered_json::array();
  for (const auto& [i, first] : found.twins) out["duplicates"].push_back({source.file(i), source.file(first)});
  out["classes"] = ordered_json::array();
  for (std::size_t k = 0; k < classes.class_counts.size(); ++k)
    out["classes"].push_back({{"name", classes.class_names.empty() ? std::to_string(k) : classes.class_names[k]},
                              {"images", classes.class_counts[k]}});
  if (found.pixels.images > 0) out.update(pixels_of(found.pixels));
  return out;
}

std::string class_line(const DatasetInfo& classes) {
  const auto& counts = classes.class_counts;
  if (counts.empty()) return "  no classes\n";
  const auto [low, high] = std::ranges::minmax_element(counts);
  const auto name = [&](auto at) {
    const auto k = static_cast<std::size_t>(at - counts.begin());
    return classes.class_names.empty() ? format("class {}", k) : in_quotes(classes.class_names[k]);
  };
  return format("  {} classes, of {} ({}) to {} images ({})\n", counts.size(), grouped(*low), name(low), grouped(*high),
                name(high));
}

// What is printed of files: some, and how many more.
template <typename List, typename Text>
std::string some_of(const List& list, const Text& text) {
  constexpr std::int64_t kShown = 10;
  std::string out;
  std::int64_t shown = 0;
  for (const auto& one : list)
    if (shown++ < kShown) out += "    " + text(one) + "\n";
  return shown > kShown ? out + format("    and {} more\n", grouped(shown - kShown)) : out;
}

std::string lines_of(const ImageSource& source, const Examination& found, const Sizes& sizes,
                     const DatasetInfo& classes) {
  std::string out = format("{}: {} images\n", source.name, grouped(source.size));
  for (const auto& [name, group] : sizes.groups)
    out += format("  {} of {}{}\n", grouped(group.count), name,
                  name == sizes.most ? "" : format(" ({} for one)", source.file(group.first.front())));
  out += class_line(classes);
  if (found.pixels.images > 0) out += pixel_lines(found.pixels, source.floats);
  if (!found.faults.empty()) out += format("  {} cannot be read:\n", grouped(std::ssize(found.faults)));
  out += some_of(found.faults, [](const auto& fault) { return fault.second; });
  if (!found.twins.empty()) out += format("  {} repeat earlier ones:\n", grouped(std::ssize(found.twins)));
  return out + some_of(found.twins, [&](const auto& twin) {
           const auto label = [&](std::int64_t i) {
             return source.labels.empty() ? -1 : source.labels[static_cast<std::size_t>(i)];
           };
           return format("{} is the same as {}{}", source.file(twin.first), source.file(twin.second),
                         label(twin.first) == label(twin.second) ? "" : ", in another class");
         });
}

}  // namespace

ExitCode check(const Flags& flags) {
  Options root = config_of(flags.target);
  defer_all_but(root, {"data", "preconditioning"});
  Options data = root.child("data");
  const auto [source, wanted] = open_data(data);
  const auto assumed = assumed_sigma_data(root);
  root.finish();
  const Examination found = examined(source);
  const Sizes sizes = sizes_of(source, found);
  const DatasetInfo classes = classes_of(source);
  ordered_json report = report_of(source, found, sizes, classes);
  std::vector<std::string> warnings = remarks(found, classes, source.file);
  if (assumed && found.pixels.images > 0) {
    report["sigma_data"] = *assumed;
    if (const auto remark = sigma_data_remark(*assumed, found.pixels.std); !remark.empty()) warnings.push_back(remark);
  }
  report["warnings"] = warnings;
  std::cout << (flags.json ? json_text(report, 2) + "\n" : lines_of(source, found, sizes, classes)) << std::flush;
  for (const auto& warning : warnings) log::warn("{}", warning);
  require_whole(found);
  of_one_shape(source, wanted);  // says what a training would say
  return ExitCode::kDone;
}

}  // namespace edmund::dataset_actions
