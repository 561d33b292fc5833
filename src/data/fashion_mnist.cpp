// fashion-mnist — 70,000 pictures of clothes, 28x28 grey, 10 classes (Xiao, Rasul and Vollgraf
// 2017).
//
//   Four IDX files under the names that their authors gave them. "train" are the 60,000 images of
//   train-*, "test" the 10,000 of t10k-*, "all" the first and then the second.
//
//   root   /usr/share/datasets/fashion-mnist   their folder; the default is that of Debian's
//                                              package
//   split  train                               train | test | all

#include "edmund/core/error.h"
#include "edmund/core/files.h"
#include "edmund/data/image_source.h"
#include "edmund/io/idx_file.h"
#include "example.h"
#include "factories.h"

#include <ATen/ATen.h>

namespace edmund {
namespace {

constexpr std::int64_t kClasses = 10;

std::filesystem::path part(const std::filesystem::path& root, std::string_view name) {
  const auto compressed = root / (std::string(name) + ".gz");
  auto path = is_there(compressed) ? compressed : root / name;
  require(is_there(path), "{}: the file does not exist; install Debian's dataset-fashion-mnist, or give `root`",
          compressed.string());
  return path;
}

}  // namespace

ImageSource make_fashion_mnist(Options& options) {
  const std::filesystem::path root =
      options.path("root", "/usr/share/datasets/fashion-mnist", "folder of the four IDX files");
  const auto split = options.choice("split", "train", {"train", "test", "all"},
                                    "which images: the 60,000 of train-*, the 10,000 of t10k-* or both");
  std::vector<Tensor> images;
  std::vector<std::int64_t> labels;
  for (const std::string_view prefix : {"train", "t10k"}) {
    if (split == (prefix == "train" ? "test" : "train")) continue;
    const auto image_file = part(root, format("{}-images-idx3-ubyte", prefix));
    const auto label_file = part(root, format("{}-labels-idx1-ubyte", prefix));
    const Tensor some = read_idx_images(image_file);
    const auto their = read_idx_labels(label_file);
    require(static_cast<std::int64_t>(their.size()) == some.size(0), "{}: {} labels, but {} has {} images",
            label_file.string(), their.size(), image_file.string(), some.size(0));
    checked_classes(their, kClasses, label_file.string());
    require(images.empty() || images[0].sizes().slice(1) == some.sizes().slice(1),
            "{}: {}x{} pixels, but the training images have {}x{}", image_file.string(), some.size(2), some.size(1),
            images.empty() ? 0 : images[0].size(2), images.empty() ? 0 : images[0].size(1));
    images.push_back(some);
    labels.insert(labels.end(), their.begin(), their.end());
  }
  ImageSource source = stored("fashion-mnist " + split, at::cat(images).unsqueeze(1), root.string());
  source.num_classes = kClasses;
  source.class_names = {"T-shirt/top", "trouser", "pullover", "dress", "coat",
                        "sandal",      "shirt",   "sneaker",  "bag",   "ankle boot"};
  source.labels = std::move(labels);
  return source;
}

std::string fashion_mnist_example(const std::filesystem::path& folder) {
  const auto [images, labels] = example_images(1, 28);
  const Tensor classes = at::tensor(labels, at::kLong).to(at::kByte);
  for (const std::string_view prefix : {"train", "t10k"}) {
    const std::int64_t first = prefix == "train" ? 0 : 3;
    write_file(folder / format("{}-images-idx3-ubyte", prefix), idx_bytes(images.narrow(0, first, 3).squeeze(1)));
    write_file(folder / format("{}-labels-idx1-ubyte", prefix), idx_bytes(classes.narrow(0, first, 3)));
  }
  return format("{type: fashion-mnist, split: all, root: {}}", folder.string());
}

}  // namespace edmund
