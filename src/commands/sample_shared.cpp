// What the modes of `edmund sample` have in common: numbers, classes, files.

#include "edmund/core/consecutive.h"
#include "edmund/core/files.h"
#include "edmund/core/json_text.h"
#include "edmund/core/text.h"
#include "edmund/io/image_io.h"
#include "sample.h"

#include <algorithm>
#include <ATen/ops/full.h>
#include <iostream>

namespace edmund::sampling_modes {
namespace {

// "0-63,100" → 0 … 63, 100.
std::vector<std::int64_t> parse_numbers(const std::string& text) {
  std::vector<std::int64_t> out;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    const std::string part = text.substr(at, end - at);
    const std::size_t dash = part.find('-');
    const auto first = parse_integer(part.substr(0, dash));
    const auto last = dash == std::string::npos ? first : parse_integer(part.substr(dash + 1));
    require(first && last && *first >= 0 && *last >= *first && *last - *first < 10'000'000,
            "--numbers: expected e.g. 0-63,100, found '{}'", text);
    for (auto number = *first; number <= *last; ++number) out.push_back(number);
    at = end + 1;
  }
  return out;
}

}  // namespace

std::vector<std::int64_t> integers_of(const std::string& flag, const std::string& text, std::size_t least) {
  std::vector<std::int64_t> out;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    const auto value = parse_integer(text.substr(at, end - at));
    require(value.has_value(), "{}: expected integers with commas between, found '{}'", flag, text);
    out.push_back(*value);
    at = end + 1;
  }
  require(out.size() >= least, "{}: expected at least {} integers, found '{}'", flag, least, text);
  return out;
}

Task begin(const Flags& flags, const std::string& folder) {
  if (!flags.out.empty()) require_folder_like("--out", flags.out);
  Task task{.trained = load_model(flags.target.path, flags.target.overrides, Needs::kModel,
                                  flags.raw ? Weights::kRaw : Weights::kEma)};
  task.seed = flags.seed ? static_cast<std::uint64_t>(*flags.seed) : task.experiment().config.seed;
  task.out = flags.out.empty() ? task.trained.run.path / folder : std::filesystem::path(flags.out);
  return task;
}

std::vector<std::int64_t> numbers_of(const Flags& flags, std::int64_t fallback) {
  if (!flags.numbers.empty()) return parse_numbers(flags.numbers);
  return consecutive(0, flags.images.value_or(fallback));
}

Tensor labels_of(const Flags& flags, const ModelShape& shape, const Tensor& fallback, std::int64_t count) {
  if (!flags.label) return shape.num_classes > 0 ? fallback : Tensor();
  require(*flags.label < shape.num_classes, "--class: the model has {} classes, counted from 0, found {}",
          shape.num_classes, *flags.label);
  return at::full({count}, *flags.label, at::kLong);
}

Tensor image_like(const std::filesystem::path& file, const ModelShape& shape) {
  const Tensor image = read_image(file);
  require(image.size(0) == shape.image.channels && image.size(1) == shape.image.height &&
              image.size(2) == shape.image.width,
          "{}: the image is {}x{}x{}, the model's are {}x{}x{} (C, H, W)", file.string(), image.size(0), image.size(1),
          image.size(2), shape.image.channels, shape.image.height, shape.image.width);
  return image;
}

std::string file_name(std::int64_t number) {
  const std::string digits = std::to_string(number);
  return std::string(digits.size() < 6 ? 6 - digits.size() : 0, '0') + digits + ".png";
}

void write_images(const std::filesystem::path& folder, const std::vector<std::int64_t>& numbers, const Tensor& images) {
  make_folder(folder);
  for (std::size_t i = 0; i < numbers.size(); ++i)
    write_png(folder / file_name(numbers[i]), images[static_cast<std::int64_t>(i)]);
}

void write_sheet(const std::filesystem::path& file, const Tensor& images, std::int64_t columns) {
  write_png(file,
            image_grid(images, std::min(columns, images.size(0)), std::max<std::int64_t>(1, 32 / images.size(2)), 2));
}

ExitCode report(const Flags& flags, const Task& task, const std::string& name, const nlohmann::ordered_json& facts,
                const std::string& line) {
  nlohmann::ordered_json all = {{"checkpoint", task.trained.checkpoint.string()},
                                {"trained_images", task.trained.images},
                                {"sampling", task.experiment().sampling.name},
                                {"weights", flags.raw ? "raw" : "ema"},
                                {"seed", task.seed},
                                {"folder", task.out.string()}};
  all.update(facts);
  write_file(task.out / name, json_text(all, 2) + "\n");
  std::cout << (flags.json ? json_text(all, 2) : line) << '\n';
  return ExitCode::kDone;
}

}  // namespace edmund::sampling_modes
