#include "kept_images.h"

#include "edmund/core/consecutive.h"
#include "edmund/core/files.h"
#include "edmund/core/progress.h"
#include "edmund/core/stop.h"
#include "edmund/core/text.h"
#include "edmund/evaluation/images_in_files.h"
#include "edmund/io/sealed_tensors.h"

#include <algorithm>
#include <ATen/ops/cat.h>
#include <iterator>
#include <string>
#include <vector>

namespace edmund {
namespace {

namespace fs = std::filesystem;

/// What a batch took.
struct Cost {
  std::int64_t evaluations = 0;
  double seconds = 0.0;
};

/// Of the batch in the file, which is drawn and put there if it does not exist.
Cost drawn_to(ImageGenerator& generator, const std::vector<std::int64_t>& numbers, const Tensor& labels,
              std::uint64_t seed, const fs::path& file) {
  if (const auto kept = sealed_tensors(file, "it is drawn again"))
    return {parse_integer(kept->metadata.at("nfe")).value_or(0),
            parse_real(kept->metadata.at("seconds")).value_or(0.0)};
  const Generated drawn = generator.draw(numbers, labels, seed);
  write_file(file, sealed_tensor_bytes({{"images", drawn.images}}, {{"nfe", std::to_string(drawn.evaluations)},
                                                                    {"seconds", number_text(drawn.seconds)}}));
  return {drawn.evaluations, drawn.seconds};
}

}  // namespace

KeptImages draw_kept(ImageGenerator& generator, std::int64_t count, std::uint64_t seed, const fs::path& folder) {
  const std::int64_t most = generator.sampling().batch_size;
  const auto file = [=](std::int64_t first) {
    return folder / format("{}-{}.safetensors", first, std::min(most, count - first));
  };
  KeptImages out;
  std::vector<Tensor> all_labels;
  Progress progress("sampling", "images", count);
  for (std::int64_t first = 0; first < count; first += most) {
    StopRequest::check();
    const auto numbers = consecutive(first, std::min(most, count - first));
    const Tensor labels = class_labels(generator.shape(), generator.sampling().classes, numbers);
    const Cost cost = drawn_to(generator, numbers, labels, seed, file(first));
    if (labels.defined()) all_labels.push_back(labels);
    out.evaluations = std::max(out.evaluations, cost.evaluations);
    out.seconds += cost.seconds;
    progress.update(first + std::ssize(numbers));
  }
  progress.finish();
  out.images = images_in_files("images", count, most, file);
  if (!all_labels.empty()) out.labels = at::cat(all_labels);
  return out;
}

}  // namespace edmund
