// inspect: what a config or a trained model is: sizes, mean and standard deviation of its data,
// conventions, the noise levels that its grid visits, its coefficients there. Of a file of another
// project, too: its kind, what it does not tell, its authors' convention, its tensors.
//
//   edmund inspect CONFIG|RUN|CHECKPOINT|FILE [key=value…] [--from KIND] [--json]
//
// Of a picture: its size and the texts in it, where `edmund sample` says how it was drawn.

#include "edmund/app/run.h"
#include "edmund/commands/command.h"
#include "edmund/core/files.h"
#include "edmund/core/json_text.h"
#include "edmund/core/printable.h"
#include "edmund/core/text.h"
#include "edmund/data/dataset.h"
#include "edmund/io/image_format.h"
#include "edmund/io/png_text.h"
#include "edmund/io/tensor_file.h"
#include "edmund/networks/described.h"
#include "edmund/networks/network.h"
#include "edmund/networks/state_dict.h"
#include "edmund/samplers/velocity.h"
#include "inspect_foreign.h"

#include <algorithm>
#include <array>
#include <ATen/ops/full.h>
#include <cmath>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

namespace edmund {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

std::string shape_text(const Tensor& tensor) {
  std::ostringstream out;
  out << tensor.dtype().name() << " " << tensor.sizes();
  return out.str();
}

ordered_json tensors_in(const fs::path& path) {
  const TensorFile file = read_tensors(path);
  ordered_json out = {{"file", path.string()}, {"metadata", file.metadata}};
  ordered_json& shapes = out["tensors"] = ordered_json::object();
  for (const auto& [name, tensor] : file.tensors)  // each name once: nothing is looked for
    shapes.get_ref<ordered_json::object_t&>().emplace_back(name, shape_text(tensor));
  return out;
}

// What a picture says of itself.
ordered_json picture_in(const fs::path& path) {
  const std::string bytes = read_file(path, kEncodedLimit);
  const ImageHeader header =
      image_header(bytes, path.string(), kPixelLimit,
                   {.deep = ImageReading::Deep::kRound, .background = std::array<std::uint8_t, 3>{}});
  ordered_json out = {{"file", path.string()},     {"width", header.width}, {"height", header.height},
                      {"channels", header.stored}, {"bits", header.bits},   {"texts", ordered_json::object()}};
  for (const auto& [key, text] : texts_of(bytes, path.string())) out["texts"][key] = text;
  return out;
}

// "first\n  second" for texts of several lines.
std::string indented(std::string text) {
  while (text.ends_with('\n')) text.pop_back();
  const bool one = text.find('\n') == std::string::npos;
  for (std::size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + 1))
    text.insert(at + 1, "    ");
  return one ? " " + text : "\n    " + text;
}

ordered_json levels_of(const Experiment& experiment) {
  ordered_json out = ordered_json::array();
  for (const double t : experiment.sampling.grid.t) {
    const NoiseSchedule& schedule = *experiment.sampling.schedule;
    const double sigma = schedule.sigma(t);
    const EdmCoefficients c = experiment.model.preconditioning().edm(at::full({1}, sigma, at::kDouble));
    out.push_back({{"t", t},
                   {"s", schedule.scale(t)},
                   {"sigma", sigma},
                   {"log_snr", -2 * std::log(sigma)},
                   {"g", diffusion(schedule, t)},
                   {"c_skip", c.skip.item<double>()},
                   {"c_out", c.out.item<double>()},
                   {"c_in", c.in.item<double>()},
                   {"c_noise", c.noise.item<double>()}});
  }
  return out;
}

// What nobody chose.
ordered_json filled_in(const Options& options) {
  ordered_json out = ordered_json::object();
  for (const OptionFacts& fact : options.facts())
    if (!fact.is_chosen && !fact.value.empty()) out[fact.path] = fact.value;
  return out;
}

double rounded(double value) { return std::round(value * 1e4) / 1e4; }

// Mean and standard deviation of the images, beside the sigma_data that is assumed; a run's images
// may lie elsewhere by now.
ordered_json data_of(const Experiment& experiment) {
  Options root = experiment.config.options, section = root.child("data");
  std::shared_ptr<const Dataset> data = experiment.data;
  try {
    if (!data) data = make_dataset(section);
  } catch (const Error& error) {
    return {{"not_read", error.what()}};
  }
  const DatasetStatistics found = statistics(*data);
  ordered_json out = {{"images", data->info().size}, {"mean", rounded(found.mean)}, {"std", rounded(found.std)}};
  if (found.images < data->info().size) out["mean_and_std_of"] = found.images;
  if (const auto assumed = parse_real(root.child("preconditioning").value("sigma_data"))) out["sigma_data"] = *assumed;
  return out;
}

// One line for each block of a network that is described by a list of them.
std::vector<std::string> blocks_of(const Experiment& experiment) {
  const auto* network = dynamic_cast<const Described*>(&experiment.model.network());
  return network ? network->description() : std::vector<std::string>();
}

ordered_json facts_of(const Experiment& experiment) {
  const ModelShape& shape = experiment.shape;
  return {{"name", experiment.config.name},
          {"parameters", parameter_count(experiment.model.network())},
          {"blocks", blocks_of(experiment)},
          {"image", {shape.image.channels, shape.image.height, shape.image.width}},
          {"classes", shape.num_classes},
          {"data", data_of(experiment)},
          {"sampling", experiment.sampling.name},
          {"noise_levels",
           {{"1 %", experiment.levels(0.01)}, {"median", experiment.levels(0.5)}, {"99 %", experiment.levels(0.99)}}},
          {"conventions",
           {"x_t = s(t)(x0 + sigma(t) eps); t grows with the noise", "flow: t = 1 is noise, u = eps - x0",
            "v = alpha eps - sigma x0; v = -F(edm) at sigma_data = 1", "score = (D - z)/sigma^2 in z = x/s"}},
          {"filled_in", filled_in(experiment.config.options)},
          {"levels", levels_of(experiment)}};
}

// Facts that are lists, each printed in its own way.
constexpr std::string_view kLists[] = {"levels", "tensors", "conventions", "filled_in", "blocks", "not_told", "texts"};

// Names and texts come from files: nothing in them acts on a terminal.
std::string text_of(const ordered_json& facts) {
  std::ostringstream out;
  for (const auto& [key, value] : facts.items())
    if (std::ranges::find(kLists, key) == std::end(kLists))
      out << key << ": " << (value.is_string() ? value.get<std::string>() : json_text(value)) << '\n';
  if (facts.contains("blocks"))
    for (const auto& line : facts["blocks"]) out << "  " << line.get<std::string>() << '\n';
  if (facts.contains("not_told")) {
    out << "not told by the file, to be said as key=value:\n";
    for (const auto& [key, about] : facts["not_told"].items())
      out << "  " << key << ": " << about.get<std::string>() << '\n';
  }
  if (facts.contains("tensors"))
    for (const auto& [name, shape] : facts["tensors"].items())
      out << "  " << name << "  " << shape.get<std::string>() << '\n';
  if (facts.contains("texts"))
    for (const auto& [key, text] : facts["texts"].items())
      out << "  " << key << ":" << indented(text.get<std::string>()) << '\n';
  if (facts.contains("conventions"))
    for (const auto& line : facts["conventions"]) out << "  " << line.get<std::string>() << '\n';
  if (facts.contains("filled_in")) {
    out << "filled in, as nobody chose them:\n";
    for (const auto& [key, value] : facts["filled_in"].items())
      out << "  " << key << ": " << value.get<std::string>() << '\n';
  }
  if (!facts.contains("levels")) return printable(out.str());
  out << std::setprecision(5);
  for (const auto& [key, unused] : facts["levels"][0].items()) out << std::setw(12) << key;
  out << '\n';
  for (const auto& row : facts["levels"]) {
    for (const auto& [key, value] : row.items()) out << std::setw(12) << value.get<double>();
    out << '\n';
  }
  return printable(out.str());
}

ordered_json examine(const Target& target, const std::string& kind) {
  const fs::path path = target.path;
  require(fs::exists(path), "{}: no such file or folder", path.string());
  if (path.extension() == ".png") return picture_in(path);
  require(path.extension() != ".npz", "{}: inspect does not read arrays of NumPy; numpy.load lists them",
          path.string());
  if (!kind.empty() || is_foreign(path)) return foreign_facts(path, kind, target.overrides, facts_of);
  if (path.extension() == ".safetensors") return tensors_in(path);
  if (fs::is_directory(path)) {
    const TrainedModel trained = load_model(path, target.overrides, Needs::kModel);
    ordered_json facts = {{"checkpoint", trained.checkpoint.string()}, {"trained_images", trained.images}};
    facts.update(facts_of(trained.experiment));
    return facts;
  }
  return facts_of(construct(parse(Options::read_file(path, target.overrides)), Needs::kData));
}

}  // namespace

Action make_inspect(CLI::App& arguments) {
  const auto target = std::make_shared<Target>();
  const auto json = std::make_shared<bool>(false);
  const auto kind = std::make_shared<std::string>();
  add_target(arguments, *target,
             "CONFIG.yaml, RUN, CHECKPOINT, FILE.safetensors, PICTURE.png or a model's file of another project");
  arguments.add_option("--from", *kind, "kind of a file of another project; found out if not given");
  arguments.add_flag("--json", *json, "as JSON");
  return [=] {
    const ordered_json facts = examine(*target, *kind);
    std::cout << (*json ? json_text(facts, 2) + "\n" : text_of(facts));
    return ExitCode::kDone;
  };
}

}  // namespace edmund
