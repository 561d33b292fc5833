// dataset: the files of a data set: packed into one archive, looked at before a training, measured.
//
//   edmund dataset build DATA --out FILE.zip [--resolution WxH] [--transform NAME] [data.KEY=…]
//       an uncompressed zip archive of PNG with dataset.json, laid out as NVlabs' dataset_tool
//       lays it out, which `data.type: edm-zip` reads; goes on where it was stopped
//   edmund dataset check DATA [data.KEY=value …] [--json]
//       reads all images: damaged ones, sizes, those that stand twice, classes, whether sigma_data
//       fits; exit code 2 if a training would refuse them
//   edmund dataset stats DATA [data.KEY=value …] [--json]
//       mean and standard deviation of the pixels, by channel (`edmund stats` is of features)
//
// DATA: a config or run, whose `data:` is meant, or a folder of images, a .zip or .npz of them.
// Transforms: without one, images are scaled to WxH by Lanczos' kernel; center-crop,
// center-crop-wide, center-crop-dhariwal.

#include "edmund/data/dataset.h"

#include "dataset.h"
#include "edmund/app/run.h"
#include "edmund/commands/command.h"
#include "edmund/core/json_text.h"
#include "edmund/core/log.h"
#include "edmund/core/text.h"
#include "edmund/data/dataset_archive.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <tuple>
#include <utility>

namespace edmund {
namespace dataset_actions {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

Options config_of(const Target& target) {
  const fs::path path = target.path;
  std::error_code error;
  require(fs::exists(path, error), "{}: no such file or folder", path.string());
  const bool folder = fs::is_directory(path, error);
  const std::string ending = path.extension().string();
  if (ending == ".yaml" || ending == ".yml" || (folder && fs::exists(path / "config.yaml", error)))
    return options_of(target);
  Options root = Options::read_text("", "the command line", target.overrides);
  Options data = root.child("data");
  const auto name = [&](std::string_view type, std::string_view key) {
    if (!data.has("type")) data.set("type", type, path.string());
    data.set(key, fs::absolute(path).string(), path.string());
  };
  if (folder)
    name(fs::exists(path / "dataset.json", error) ? "edm-zip" : "folder", "root");
  else if (ending == ".zip")
    name("edm-zip", "root");
  else if (ending == ".npz")
    name("npz", "file");
  else
    fail("{}: expected a config (.yaml), a run, a folder of images, a .zip or a .npz", path.string());
  return root;
}

void defer_all_but(Options& root, std::initializer_list<std::string_view> read) {
  for (const auto& key : root.keys())
    if (std::ranges::find(read, key) == read.end()) root.defer(key);
}

namespace {

ordered_json rounded(const std::vector<double>& values) {
  ordered_json out = ordered_json::array();
  for (const double value : values) out.push_back(std::round(value * 1e6) / 1e6);
  return out;
}

// "256x128" as width and height.
std::pair<std::int64_t, std::int64_t> size_of(const std::string& text) {
  const std::size_t cross = std::min(text.find('x'), text.size());
  const std::int64_t width = plain_integer(text.substr(0, cross)).value_or(0),
                     height = plain_integer(text.substr(std::min(cross + 1, text.size()))).value_or(0);
  constexpr std::int64_t kMost = 1 << 13;
  require(width > 0 && height > 0 && width <= kMost && height <= kMost,
          "--resolution: expected WIDTHxHEIGHT in pixels, as 256x256, found {}", in_quotes(text));
  return {width, height};
}

ExitCode build(const Flags& flags) {
  require(fs::path(flags.out).extension() == ".zip", "--out: expected the name of a .zip file, found {}",
          in_quotes(flags.out));
  require_file_like("--out", flags.out);
  ArchiveSettings settings;
  if (!flags.transform.empty()) settings.transform = transform_of(flags.transform);
  if (!flags.resolution.empty()) std::tie(settings.width, settings.height) = size_of(flags.resolution);
  Options root = config_of(flags.target);
  defer_all_but(root, {"data"});
  Options data = root.child("data");
  OpenedData opened = open_data(data);
  root.finish();
  const bool sized = settings.width > 0;
  require(!sized || opened.wanted.size == 0, "data.size and --resolution both give a size; leave one of them out");
  std::error_code error;
  require(!fs::exists(flags.out, error), "--out: {} is there already; delete it or choose another name", flags.out);
  ImageSource source = std::move(opened.source);
  const Adaptation own = opened.wanted;
  if (own.size > 0 || own.channels > 0) source = of_one_shape(std::move(source), own);
  if (!source.class_names.empty())
    log::info("classes are kept as numbers: {}", [&] {
      std::string out;
      for (std::size_t k = 0; k < std::min<std::size_t>(source.class_names.size(), 10); ++k)
        out += format("{}{} {}", k == 0 ? "" : ", ", k, source.class_names[k]);
      return out + (source.class_names.size() > 10 ? ", …" : "");
    }());
  const WrittenArchive written = write_archive(source, settings, flags.out);
  std::cout << format("{}: {} images of {}x{}, {} channels{}{}\n", flags.out, written.images, written.width,
                      written.height, written.channels,
                      written.left_out > 0 ? format("; {} were too small and are left out", written.left_out) : "",
                      written.taken_up > 0 ? format("; {} lay there from before", written.taken_up) : "");
  return ExitCode::kDone;
}

ExitCode stats(const Flags& flags) {
  Options root = config_of(flags.target);
  defer_all_but(root, {"data"});
  Options section = root.child("data");
  const auto data = make_dataset(section);
  root.finish();
  const DatasetInfo info = data->info();
  const DatasetStatistics found = statistics(*data, info.size);
  if (flags.json) {
    ordered_json out = {{"data", info.name},
                        {"images", info.size},
                        {"shape", {info.channels, info.height, info.width}},
                        {"unit", info.floats ? "values as the model takes them" : "levels as values in [-1, 1]"}};
    out.update(pixels_of(found));
    std::cout << json_text(out, 2) << '\n' << std::flush;
    return ExitCode::kDone;
  }
  std::cout << format("{}: {} images of {} channels, {}x{}{}\n", info.name, grouped(info.size), info.channels,
                      info.height, info.width, info.floats ? "" : "; values in [-1, 1]")
            << pixel_lines(found, info.floats);
  return ExitCode::kDone;
}

}  // namespace

ordered_json pixels_of(const DatasetStatistics& found) {
  return {{"mean", found.mean},
          {"std", found.std},
          {"channel_mean", rounded(found.channel_mean)},
          {"channel_std", rounded(found.channel_std)}};
}

std::string pixel_lines(const DatasetStatistics& found, bool floats) {
  const auto line = [&](const std::string& name, double mean, double std) {
    std::string out = format("  {}: mean {}, std {}", name, short_number(mean), short_number(std));
    if (!floats) out += format("; in [0, 1]: {}, {}", short_number((mean + 1) / 2), short_number(std / 2));
    return out + "\n";
  };
  std::string out = line("all", found.mean, found.std);
  for (std::size_t c = 0; c < found.channel_mean.size(); ++c)
    out += line(format("channel {}", c), found.channel_mean[c], found.channel_std[c]);
  return out;
}

}  // namespace dataset_actions

Action make_dataset_command(CLI::App& arguments) {
  const auto flags = std::make_shared<dataset_actions::Flags>();
  arguments.add_option("action", flags->action, "build, check or stats")->required()->option_text("build|check|stats");
  add_target(arguments, flags->target, "CONFIG.yaml, RUN, folder of images, .zip or .npz");
  arguments.add_option("--out", flags->out, "the .zip file that `build` writes");
  arguments.add_option("--resolution", flags->resolution, "WIDTHxHEIGHT that `build` brings images to");
  arguments.add_option("--transform", flags->transform,
                       "how: center-crop, center-crop-wide or center-crop-dhariwal (default: scaled)");
  arguments.add_flag("--json", flags->json, "what `check` and `stats` found, as JSON");
  return [=] {
    const std::vector<std::string_view> known = {"build", "check", "stats"};
    const auto at = std::ranges::find(known, flags->action);
    require(at != known.end(), "edmund dataset: unknown action {}{}", in_quotes(flags->action),
            suggestion(flags->action, known));
    const bool builds = flags->action == "build";
    require(builds || (flags->out.empty() && flags->resolution.empty() && flags->transform.empty()),
            "edmund dataset {}: --out, --resolution and --transform go with build", flags->action);
    require(!builds || !flags->out.empty(), "edmund dataset build: --out FILE.zip is missing");
    if (builds) return dataset_actions::build(*flags);
    return flags->action == "check" ? dataset_actions::check(*flags) : dataset_actions::stats(*flags);
  };
}

}  // namespace edmund
