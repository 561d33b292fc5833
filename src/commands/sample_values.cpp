#include "sample_values.h"

#include "edmund/archives/zip_stream.h"
#include "edmund/core/file_system.h"
#include "edmund/core/files.h"
#include "edmund/generation/picture.h"
#include "edmund/io/gif.h"
#include "edmund/io/image_io.h"
#include "edmund/io/npy_array.h"
#include "edmund/io/sealed_tensors.h"
#include "edmund/io/tensor_file.h"

#include <algorithm>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/stack.h>
#include <cmath>
#include <functional>
#include <map>
#include <system_error>
#include <utility>

namespace edmund::sampling_modes {
namespace {

namespace fs = std::filesystem;

std::string join_sizes(const Tensor& tensor) {
  std::string out = "[";
  for (const std::int64_t size : tensor.sizes()) out += format("{}{}", out.size() > 1 ? ", " : "", size);
  return out + "]";
}

bool is_npz(const fs::path& file) { return file.extension() == ".npz"; }

// One float32 array `values` of this shape, whose parts `next` gives, and texts.
void write_values_npz(const fs::path& file, const std::vector<std::int64_t>& shape,
                      const std::map<std::string, std::string>& texts, const std::function<Tensor()>& next) {
  ZipStream zip(file);
  std::string head = npy_head(at::kFloat, shape);
  std::uint64_t count = 1;
  for (const std::int64_t size : shape) count *= static_cast<std::uint64_t>(size);
  zip.add("values.npy", head.size() + sizeof(float) * count, [&] {
    if (!head.empty()) return std::exchange(head, {});
    const Tensor part = next();
    return std::string(static_cast<const char*>(part.const_data_ptr()), part.nbytes());
  });
  for (const auto& [name, text] : texts) zip.add(name + ".npy", npy_text(text));
  zip.finish();
}

}  // namespace

RawValues::RawValues(const std::string& file, const fs::path& pictures, const std::string& fingerprint)
    : file_(file), parts_(pictures / ".unfinished" / ("values-" + fingerprint)) {
  require(file.empty() || is_npz(file_) || file_.extension() == ".safetensors",
          "--raw-out: expected a name that ends in .safetensors or .npz, found '{}'", file);
  require(file.empty() || !fs::is_directory(file_), "--raw-out: {} is a folder", file);
}

fs::path RawValues::part(std::int64_t first, std::int64_t count) const {
  return parts_ / format("{}-{}.safetensors", first, count);
}

bool RawValues::has(std::int64_t first, std::int64_t count) const {
  return file_.empty() || sealed_tensors(part(first, count), "it is drawn again").has_value();
}

void RawValues::write(std::int64_t first, const Tensor& values) const {
  if (wanted()) write_file(part(first, values.size(0)), sealed_tensor_bytes({{"values", values.to(at::kFloat)}}));
}

void RawValues::finish(std::int64_t count, std::int64_t size, const ImageShape& shape) const {
  if (!wanted()) return;
  const auto values = [&](std::int64_t first) {
    return read_tensors(part(first, std::min(size, count - first))).at("values");
  };
  const std::map<std::string, std::string> about = {{"unit", "[-1, 1], before rounding to 8 bits"}};
  const std::vector<std::int64_t> all = {count, shape.channels, shape.height, shape.width};
  const auto next = [&, first = std::int64_t{0}]() mutable {
    const Tensor part = values(first).contiguous();
    first += size;
    return part;
  };
  if (is_npz(file_))
    write_values_npz(file_, all, about, next);
  else
    write_joined_tensor(file_, "values", all, about, next);
  remove_tree(parts_);
  // unless other work is unfinished there
  [[maybe_unused]] const std::error_code others = file_system().remove(parts_.parent_path());
}

void write_npz(const std::string& file, const fs::path& folder, const std::vector<std::int64_t>& numbers,
               const Tensor& labels) {
  const auto picture = [&](std::size_t k) {  // [H, W, C]
    return read_image(folder / file_name(numbers[k])).permute({1, 2, 0}).contiguous();
  };
  const Tensor first = picture(0);
  const std::int64_t count = std::ssize(numbers);
  std::string head = npy_head(at::kByte, {count, first.size(0), first.size(1), first.size(2)});
  const std::uint64_t size = head.size() + static_cast<std::uint64_t>(count) * first.nbytes();
  ZipStream zip(file);
  zip.add("arr_0.npy", size, [&, k = std::size_t{0}]() mutable {
    if (!head.empty()) return std::exchange(head, {});
    const Tensor next = picture(k++);
    return std::string(static_cast<const char*>(next.const_data_ptr()), next.nbytes());
  });
  if (labels.defined()) zip.add("arr_1.npy", npy_bytes(labels));
  zip.finish();
}

Tensor read_noise(const std::string& file, const ModelShape& shape) {
  const TensorFile found = read_tensors(file);
  require(!found.tensors.empty(), "--noise: {} holds no tensor", file);
  const char* names[] = {"latents", "noise"};
  const auto* name = std::ranges::find_if(names, [&](const char* one) { return found.tensors.contains(one); });
  const Tensor noise = name != std::end(names)     ? found.at(*name)
                       : found.tensors.size() == 1 ? found.tensors.begin()->second
                                                   : found.at("latents");
  const ImageShape& image = shape.image;
  require(noise.dim() == 4 && noise.size(0) > 0 && noise.size(1) == image.channels && noise.size(2) == image.height &&
              noise.size(3) == image.width && noise.is_floating_point(),
          "--noise: {}: expected floats [N, {}, {}, {}] (N, C, H, W), found {}", file, image.channels, image.height,
          image.width, join_sizes(noise));
  const Tensor out = noise.to(at::kDouble);
  require(at::isfinite(out).all().item<bool>(), "--noise: {}: holds values that are not finite", file);
  return out;
}

std::string trajectory_gif(ImageGenerator& generator, const std::vector<std::int64_t>& numbers, const Tensor& labels,
                           const NoiseOf& noise) {
  constexpr std::size_t kFrames = 40;
  const auto count = static_cast<std::int64_t>(numbers.size());
  const auto trace = std::make_shared<std::vector<Evaluation>>();
  const Generated drawn = generator.draw(
      count, labels, noise, {.batch_size = count, .around = [&](Denoiser D) { return recorded(std::move(D), trace); }});
  const auto columns = static_cast<std::int64_t>(std::ceil(std::sqrt(static_cast<double>(count))));
  const std::int64_t zoom = std::max<std::int64_t>(1, 32 / generator.shape().image.height);
  std::vector<Tensor> frames;
  const std::size_t shown = std::min(kFrames, trace->size());
  for (std::size_t k = 0; k < shown; ++k)
    frames.push_back(image_grid(picture_of((*trace)[k * trace->size() / shown].denoised), columns, zoom, 2));
  frames.push_back(image_grid(drawn.images, columns, zoom, 2));
  return gif_bytes(at::stack(frames));
}

}  // namespace edmund::sampling_modes
