// npz — images as arrays of a NumPy archive, as ADM's evaluator takes them and the samples of ADM,
// EDM and consistency models are published (Dhariwal & Nichol 2021). What lies in it is compared
// with other images, or trained on.
//
//   Images are uint8 [N, H, W, 3] (RGB), [N, H, W, 1] or [N, H, W] (grey), labels whole numbers
//   [N]. Arrays above 256 MB are read where they lie; compressed ones of that size from a temporary
//   file ($TMPDIR).
//
//   file         required  the .npz file
//   images       arr_0     array of the images
//   labels       arr_1     array of the classes; "": none, as where the file has no arr_1
//   num_classes  0         number of classes; 0: largest label + 1
//   split        all       train | test | all; "test" is every fifth image of each class

#include "edmund/io/npz.h"

#include "edmund/core/error.h"
#include "edmund/core/files.h"
#include "edmund/data/image_source.h"
#include "example.h"
#include "factories.h"

#include <ATen/ATen.h>

namespace edmund {
namespace {

PixelFile checked(PixelFile pixels, const std::string& place) {
  const at::IntArrayRef shape = pixels.shape;
  const bool has_channels = shape.size() == 4 && (shape[3] == 1 || shape[3] == 3);
  require((shape.size() == 3 || has_channels) && c10::multiply_integers(shape) > 0,
          "{}: expected bytes [N, H, W, 3], [N, H, W, 1] or [N, H, W], found {}", place, shape);
  return pixels;
}

std::vector<std::int64_t> classes(const Tensor& labels, std::int64_t images, const std::string& place) {
  require(!labels.is_floating_point() && labels.dim() == 1, "{}: expected whole numbers [N], found {} [{}]", place,
          c10::toString(labels.scalar_type()), labels.sizes());
  require(labels.size(0) == images, "{}: {} labels of {} images", place, labels.size(0), images);
  const Tensor wide = labels.to(at::kLong).contiguous();
  return {wide.const_data_ptr<std::int64_t>(), wide.const_data_ptr<std::int64_t>() + wide.numel()};
}

}  // namespace

ImageSource make_npz(Options& options) {
  const bool asked = options.has("labels");
  const auto image_array = options.text("images", "arr_0", "array of the images"),
             label_array = options.text("labels", "arr_1", "array of the classes; empty: none");
  const auto num_classes =
      options.integer("num_classes", 0, between(0, 1 << 20), "number of classes; 0: largest label + 1");
  const auto split =
      options.choice("split", "all", {"train", "test", "all"}, "which images; test: every fifth of each class");
  const auto path = existing_path(options, "file", "an .npz file of images");
  const NpzFile file(path);
  const auto place = [&](const std::string& array) { return format("{}/{}", path.string(), array); };
  ImageSource source =
      stored(path.stem().string(), checked(file.pixels(image_array), place(image_array)), path.string());
  if (!label_array.empty() && (asked || file.has(label_array))) {
    source.labels = classes(file.array(label_array), source.size, place(label_array));
    source.num_classes = checked_classes(source.labels, num_classes, place(label_array));
  }
  require(num_classes == 0 || source.num_classes > 0, "{}: no labels, but `num_classes` is given", path.string());
  source = split_by_class(std::move(source), split);
  if (split != "all") source.name += " " + split;
  return source;
}

std::string npz_example(const std::filesystem::path& folder) {
  const auto [images, labels] = example_images(3, 8);
  const auto file = folder / "samples.npz";
  write_file(file, npz_bytes({{"arr_0", images.permute({0, 2, 3, 1})}, {"arr_1", at::tensor(labels, at::kLong)}}));
  return format("{type: npz, file: {}}", file.string());
}

}  // namespace edmund
