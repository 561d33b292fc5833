#include "sample_texts.h"

#include "edmund/app/identity.h"
#include "edmund/core/files.h"
#include "edmund/core/json_text.h"
#include "edmund/core/text.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace edmund::sampling_modes {
namespace {

// How was sampled, with all that was filled in, so that equal pictures are equal files whatever was
// chosen of it by name. Without the size of batches, which changes no picture.
std::string sampling_text(const Experiment& experiment) {
  Options options = Options::read_text(experiment.config.options.resolved(), "config (resolved)");
  std::string text = options.child("sampling").chosen();
  const std::string key = "batch_size:";
  for (std::size_t at = text.find(key); at != std::string::npos; at = text.find(key, at + 1)) {
    if (at > 0 && text[at - 1] != '\n') continue;  // of a mapping below
    text.erase(at, std::min(text.find('\n', at), text.size() - 1) + 1 - at);
    break;
  }
  return text;
}

PngTexts texts_in(const std::string& file) { return texts_of(read_file(file, std::uint64_t{1} << 28), file); }

std::optional<std::string> find(const PngTexts& texts, std::string_view key) {
  const auto found = std::ranges::find(texts, "edmund:" + std::string(key), &PngTexts::value_type::first);
  return found == texts.end() ? std::nullopt : std::optional(found->second);
}

std::string needed(const PngTexts& texts, std::string_view key, const std::string& file) {
  const auto found = find(texts, key);
  require(found.has_value(), "--like: {}: no text 'edmund:{}': not a picture of `edmund sample`", file, key);
  return *found;
}

}  // namespace

PngTexts drawing_texts(const Task& task, const std::string& mode, const nlohmann::ordered_json& settings) {
  const Experiment& experiment = task.experiment();
  PngTexts out = {{"edmund:version", EDMUND_VERSION},
                  {"edmund:mode", mode},
                  {"edmund:run", experiment.config.name},
                  {"edmund:trained_images", std::to_string(task.trained.images)},
                  {"edmund:identity", weights_identity(task.trained)},
                  {"edmund:weights", task.trained.weights.name()},
                  {"edmund:sampled_by", experiment.sampling.name},
                  {"edmund:sampling", sampling_text(experiment)},
                  {"edmund:seed", std::to_string(task.seed)}};
  if (settings.is_object() && settings.contains("noise"))
    out.emplace_back("edmund:noise", json_text(settings["noise"]));
  return out;
}

PngTexts picture_texts(PngTexts drawing, std::int64_t number, const Tensor& label) {
  drawing.emplace_back("edmund:number", std::to_string(number));
  if (label.defined()) drawing.emplace_back("edmund:class", std::to_string(label.item<std::int64_t>()));
  return drawing;
}

Flags like(Flags flags) {
  const std::string& file = flags.like;
  const PngTexts texts = texts_in(file);
  const std::string mode = needed(texts, "mode", file);
  require(mode == "samples", "--like: {}: made by another mode ({}); plain samples are drawn again", file, mode);
  require(!find(texts, "noise") || !flags.noise.empty(),
          "--like: {}: drawn from the noise of a file; give it with --noise", file);
  const auto whole = [&](std::string_view key) {
    const auto value = parse_integer(needed(texts, key, file));
    require(value && *value >= 0, "--like: {}: edmund:{} is no number", file, key);
    return *value;
  };
  require(flags.numbers.empty() && !flags.images && !flags.seed && flags.label.empty() && !flags.weights.raw &&
              flags.weights.ema.empty(),
          "--like gives number, seed, class and weights; leave --numbers, --images, --seed, --class, --raw and --ema "
          "out");
  flags.numbers = {whole("number")};
  flags.seed = whole("seed");
  if (find(texts, "class")) flags.label = std::to_string(whole("class"));
  const std::string weights = needed(texts, "weights", file);
  flags.weights = {.ema = weights.starts_with("ema ") ? weights.substr(4) : weights};
  std::vector<std::string> overrides;
  for (const auto& [key, value] : Options::read_text(needed(texts, "sampling", file), file).flattened())
    overrides.push_back(format("sampling.{}={}", key, value));
  // a type first: another one drops what stands beside it
  std::ranges::stable_partition(
      overrides, [](const std::string& text) { return text.substr(0, text.find('=')).ends_with("type"); });
  flags.target.overrides.insert(flags.target.overrides.begin(), overrides.begin(), overrides.end());
  return flags;
}

void require_like(const Flags& flags, const Task& task) {
  if (flags.like.empty()) return;
  const std::string there = needed(texts_in(flags.like), "identity", flags.like), here = weights_identity(task.trained);
  require(there == here, "--like: {}: drawn from other weights than those of {}", flags.like,
          task.trained.checkpoint.string());
}

}  // namespace edmund::sampling_modes
