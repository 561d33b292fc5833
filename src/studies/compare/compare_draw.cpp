#include "compare_loaded.h"
#include "edmund/core/consecutive.h"
#include "edmund/core/files.h"
#include "edmund/core/text.h"
#include "edmund/generation/image_generator.h"
#include "edmund/io/sealed_tensors.h"
#include "edmund/io/tensor_file.h"

#include <algorithm>
#include <ATen/Functions.h>

namespace edmund {

namespace fs = std::filesystem;

fs::path Comparison::block_file(const CompareCell& cell, std::int64_t first) const {
  return folder(cell) / format("block-{}.safetensors", first);
}

// Blocks are drawn in order: where the last one lies, the others do.
bool Comparison::drawn(const CompareCell& cell) const {
  const std::int64_t total = images_in(cell);
  return fs::exists(block_file(cell, (total - 1) / plan_.block * plan_.block));
}

// Draws a scored cell again of whose blocks one is damaged; that they were deleted is no damage.
void Comparison::mend(const CompareCell& cell) {
  for (std::int64_t begin = 0; begin < images_in(cell); begin += plan_.block)
    if (const fs::path file = block_file(cell, begin); fs::exists(file) && !sealed_tensors(file, "it is drawn again"))
      return draw(cell);
}

std::int64_t Comparison::images_in(const CompareCell& cell) const {
  return cell.kind == CellKind::kSolution ? plan_.distance_images : plan_.images;
}

void Comparison::draw(const CompareCell& cell) {
  const Experiment& experiment = loaded(cell.model).trained.experiment;
  apply_backend(experiment.config.backend);  // the models may have been loaded in any order
  ImageGenerator generator(experiment.model, sampling_of(cell), experiment.shape);
  const std::int64_t total = images_in(cell);
  for (std::int64_t begin = 0; begin < total; begin += plan_.block) {
    const fs::path file = block_file(cell, begin);
    if (sealed_tensors(file, "it is drawn again")) continue;
    const auto numbers = consecutive(begin, std::min(plan_.block, total - begin));
    const Generated drawn = generator.draw(
        numbers, class_labels(experiment.shape, generator.sampling().classes, numbers), plan_.seed, {.values = true});
    const std::int64_t exact = std::clamp<std::int64_t>(plan_.distance_images - begin, 0, drawn.values.size(0));
    write_file(file, sealed_tensor_bytes(
                         {{"images", drawn.images}, {"values", drawn.values.narrow(0, 0, exact).to(at::kFloat)}},
                         {{"nfe", std::to_string(drawn.evaluations)},
                          {"draws", std::to_string(drawn.draws)},
                          {"seconds", number_text(drawn.seconds)}}));
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
