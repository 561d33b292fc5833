// What the modes of `edmund sample` have in common: numbers, classes, files.

#include "edmund/core/consecutive.h"
#include "edmund/core/text.h"
#include "edmund/io/image_io.h"
#include "sample.h"

#include <algorithm>
#include <ATen/ops/full.h>

namespace edmund::sampling_modes {

Task begin(const Flags& flags) {
  if (!flags.out.empty()) require_folder_like("--out", flags.out);
  Task task{.trained = load_model(flags.target.path, flags.target.overrides, Needs::kModel, flags.weights.weights())};
  task.seed = flags.seed ? static_cast<std::uint64_t>(*flags.seed) : task.experiment().config.seed;
  return task;
}

std::vector<std::int64_t> numbers_of(const Flags& flags, std::int64_t fallback) {
  if (!flags.numbers.empty()) {
    std::vector<std::int64_t> sorted = flags.numbers;
    std::ranges::sort(sorted);
    const auto twice = std::ranges::adjacent_find(sorted);
    require(twice == sorted.end(), "--numbers: expected each number once, found {} twice",
            twice == sorted.end() ? 0 : *twice);
    return flags.numbers;
  }
  return consecutive(0, flags.images.value_or(fallback));
}

std::optional<std::int64_t> class_of(const Flags& flags, const ModelShape& shape) {
  if (flags.label.empty()) return std::nullopt;
  require(shape.num_classes > 0, "--class: the model has no classes, found {}", in_quotes(flags.label));
  const auto named = std::ranges::find(shape.class_names, flags.label);
  if (named != shape.class_names.end()) return named - shape.class_names.begin();
  const auto number = plain_integer(flags.label);
  const std::vector<std::string_view> known(shape.class_names.begin(), shape.class_names.end());
  require(number.has_value(), "--class: no class {}{}", in_quotes(flags.label),
          known.empty() ? format("; the model's classes have numbers: 0 to {}", shape.num_classes - 1)
                        : suggestion(flags.label, known));
  require(*number >= 0 && *number < shape.num_classes, "--class: the model has {} classes, 0 to {}; found {}",
          shape.num_classes, shape.num_classes - 1, *number);
  return number;
}

std::string class_rule(const Flags& flags, const Experiment& experiment) {
  const ModelShape& shape = experiment.shape;
  if (shape.num_classes == 0) return "none";
  if (const auto label = class_of(flags, shape)) return std::to_string(*label);
  const bool even = experiment.sampling.classes == ClassRule::kEven || shape.class_counts.empty();
  return even ? "drawn evenly" : "drawn as often as in the training data";
}

Tensor labels_of(const Flags& flags, const ModelShape& shape, const Tensor& fallback, std::int64_t count) {
  if (const auto label = class_of(flags, shape)) return at::full({count}, *label, at::kLong);
  return shape.num_classes > 0 ? fallback : Tensor();
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

}  // namespace edmund::sampling_modes
