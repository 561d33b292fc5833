#include "compare_loaded.h"
#include "edmund/app/generate.h"
#include "edmund/core/consecutive.h"
#include "edmund/core/files.h"
#include "edmund/core/text.h"
#include "edmund/io/image_io.h"
#include "edmund/io/tensor_file.h"
#include "edmund/ops/device.h"
#include "edmund/ops/pixels.h"

#include <algorithm>
#include <ATen/Functions.h>
#include <c10/core/InferenceMode.h>
#include <chrono>
#include <cmath>
#include <utility>

namespace edmund {

namespace fs = std::filesystem;

fs::path Comparison::block_file(const CompareCell& cell, std::int64_t first) const {
  return folder(cell) / format("block-{}.safetensors", first);
}

bool Comparison::drawn(const CompareCell& cell) const { return fs::exists(block_file(cell, 0)); }

void Comparison::draw(const CompareCell& cell) {
  const c10::InferenceMode inference;
  const Sampling sampling = sampling_of(cell);
  const Experiment& experiment = loaded(cell.model).trained.experiment;
  const ImageShape& image = experiment.shape.image;
  const std::int64_t total = cell.kind == CellKind::kSolution ? plan_.distance_images : plan_.images;
  for (std::int64_t begin = 0; begin < total; begin += plan_.block) {
    const fs::path file = block_file(cell, begin);
    if (fs::exists(file)) continue;
    const std::int64_t end = std::min(begin + plan_.block, total);
    std::vector<Tensor> parts;
    std::int64_t nfe = 0, draws = 0;
    const auto began = std::chrono::steady_clock::now();
    for (std::int64_t first = begin; first < end; first += sampling.batch_size) {
      const std::int64_t size = std::min(sampling.batch_size, end - first);
      const auto numbers = consecutive(first, size);
      const auto count = std::make_shared<std::int64_t>(0);
      const Denoiser D = sampling_denoiser(experiment.model, sampling, experiment.shape,
                                           balanced_labels(experiment.shape, numbers), count);
      PhiloxNoise noise(plan_.seed, numbers, at::kDouble, ops::device());
      const Tensor x = initial_state(*sampling.path, sampling.grid, noise, {image.channels, image.height, image.width});
      parts.push_back(sampling.sampler(D, *sampling.path, sampling.grid, x, noise).cpu());
      nfe = std::max(nfe, *count), draws = noise.draws();
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - began;
    const Tensor values = at::cat(parts);
    const std::int64_t exact = std::clamp<std::int64_t>(plan_.distance_images - begin, 0, values.size(0));
    write_file(file, tensor_bytes({{"images", to_uint8(values)}, {"values", values.narrow(0, 0, exact).to(at::kFloat)}},
                                  {{"nfe", std::to_string(nfe)},
                                   {"draws", std::to_string(draws)},
                                   {"seconds", number_text(seconds.count())}}));
  }
}

Tensor Comparison::images_of(const CompareCell& cell, std::int64_t count) const {
  std::vector<Tensor> parts;
  for (std::int64_t begin = 0, found = 0; found < count; begin += plan_.block) {
    const fs::path file = block_file(cell, begin);
    if (!fs::exists(file)) break;
    parts.push_back(read_tensors(file).at("images"));
    found += parts.back().size(0);
  }
  require(!parts.empty(), "{}: no images", folder(cell).string());
  const Tensor all = at::cat(parts);
  return all.narrow(0, 0, std::min(count, all.size(0)));
}

Tensor Comparison::values_of(const CompareCell& cell) const {
  std::vector<Tensor> parts;
  for (std::int64_t begin = 0; begin < plan_.distance_images; begin += plan_.block)
    parts.push_back(read_tensors(block_file(cell, begin)).at("values"));
  return at::cat(parts).to(at::kDouble);
}

}  // namespace edmund
