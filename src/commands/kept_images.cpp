#include "kept_images.h"

#include "edmund/core/consecutive.h"
#include "edmund/core/files.h"
#include "edmund/core/progress.h"
#include "edmund/core/stop.h"
#include "edmund/core/text.h"
#include "edmund/io/tensor_file.h"

#include <algorithm>
#include <ATen/ops/cat.h>
#include <map>
#include <vector>

namespace edmund {
namespace {

namespace fs = std::filesystem;

/// The batch first … as it lies in the file, or drawn and put there.
KeptImages batch_of(ImageGenerator& generator, const std::vector<std::int64_t>& numbers, std::uint64_t seed,
                    const fs::path& file) {
  const Tensor labels = class_labels(generator.shape(), generator.sampling().classes, numbers);
  if (fs::exists(file)) {
    const TensorFile kept = read_tensors(file);
    return {.images = kept.at("images"),
            .labels = labels,
            .evaluations = parse_integer(kept.metadata.at("nfe")).value_or(0),
            .seconds = parse_real(kept.metadata.at("seconds")).value_or(0.0)};
  }
  const Generated drawn = generator.draw(numbers, labels, seed);
  write_file(file, tensor_bytes({{"images", drawn.images}},
                                {{"nfe", std::to_string(drawn.evaluations)}, {"seconds", number_text(drawn.seconds)}}));
  return {.images = drawn.images, .labels = labels, .evaluations = drawn.evaluations, .seconds = drawn.seconds};
}

}  // namespace

KeptImages draw_kept(ImageGenerator& generator, std::int64_t count, std::uint64_t seed, const fs::path& folder) {
  const std::int64_t most = generator.sampling().batch_size;
  KeptImages out;
  std::vector<Tensor> images, labels;
  Progress progress("sampling", "images", count);
  for (std::int64_t first = 0; first < count; first += most) {
    StopRequest::check();
    const auto numbers = consecutive(first, std::min(most, count - first));
    const KeptImages batch =
        batch_of(generator, numbers, seed, folder / format("{}-{}.safetensors", first, numbers.size()));
    images.push_back(batch.images);
    if (batch.labels.defined()) labels.push_back(batch.labels);
    out.evaluations = std::max(out.evaluations, batch.evaluations);
    out.seconds += batch.seconds;
    progress.update(first + batch.images.size(0));
  }
  progress.finish();
  out.images = at::cat(images);
  if (!labels.empty()) out.labels = at::cat(labels);
  return out;
}

std::string checksum_of(const Tensor& images) {
  const Tensor values = images.cpu().contiguous();
  return checksum({static_cast<const char*>(values.const_data_ptr()), static_cast<std::size_t>(values.nbytes())});
}

}  // namespace edmund
