// cifar10 — 60,000 natural images, 32x32 RGB, 10 classes (Krizhevsky 2009), the "binary version" of
// its page.
//
//   "train" are the images of data_batch_1.bin … data_batch_5.bin, "test" those of test_batch.bin,
//   "all" the first and then the second. A record has 3,073 bytes: the class and the red, green and
//   blue plane. Class names come from batches.meta.txt if it is there.
//
//   root   required  folder of these files, or the one in which cifar-10-batches-bin lies
//   split  train     train | test | all

#include "edmund/core/error.h"
#include "edmund/core/files.h"
#include "edmund/data/image_source.h"
#include "example.h"
#include "factories.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <cstring>
#include <sstream>

namespace edmund {
namespace {

constexpr std::int64_t kSide = 32, kChannels = 3, kPixels = kChannels * kSide * kSide, kRecord = kPixels + 1,
                       kClasses = 10;

std::vector<std::string> file_names(std::string_view split) {
  std::vector<std::string> names;
  if (split != "test")
    for (int i = 1; i <= 5; ++i) names.push_back(format("data_batch_{}.bin", i));
  if (split != "train") names.emplace_back("test_batch.bin");
  return names;
}

std::vector<std::string> class_names(const std::filesystem::path& root) {
  const auto path = root / "batches.meta.txt";
  if (!is_there(path))
    return {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};
  std::istringstream words(read_file(path, 1 << 16));
  std::vector<std::string> names;
  for (std::string word; words >> word;) names.push_back(word);
  require(static_cast<std::int64_t>(names.size()) == kClasses, "{}: {} class names, but CIFAR-10 has {}", path.string(),
          names.size(), kClasses);
  return names;
}

// Appends the labels of a file and answers its images [N, 3, 32, 32].
Tensor read_batch(const std::filesystem::path& path, std::vector<std::int64_t>& labels) {
  require(is_there(path), "{}: the file does not exist; `root` must be the folder of CIFAR-10's binary version",
          path.string());
  const std::string bytes = read_file(path, 1 << 28);
  const auto size = static_cast<std::int64_t>(bytes.size());
  require(size > 0 && size % kRecord == 0,
          "{}: {} bytes, not a multiple of {} (a class and {} pixel values); the file is damaged", path.string(), size,
          kRecord, kPixels);
  Tensor images = at::empty({size / kRecord, kChannels, kSide, kSide}, at::kByte);
  auto* out = images.data_ptr<std::uint8_t>();
  for (std::int64_t i = 0; i < size / kRecord; ++i, out += kPixels) {
    const char* record = bytes.data() + i * kRecord;
    const auto label = static_cast<unsigned char>(record[0]);
    require(label < kClasses, "{}: label {} of image {}; labels from 0 to 9 are expected", path.string(), int{label},
            i);
    labels.push_back(label);
    std::memcpy(out, record + 1, kPixels);
  }
  return images;
}

}  // namespace

ImageSource make_cifar10(Options& options) {
  const auto split =
      options.choice("split", "train", {"train", "test", "all"}, "which images: data_batch_*, test_batch or both");
  auto root = existing_path(options, "root", "the folder of CIFAR-10's binary version");
  if (std::filesystem::is_directory(root / "cifar-10-batches-bin")) root /= "cifar-10-batches-bin";
  std::vector<Tensor> images;
  std::vector<std::int64_t> labels;
  for (const auto& name : file_names(split)) images.push_back(read_batch(root / name, labels));
  ImageSource source = stored("cifar10 " + split, at::cat(images), root.string());
  source.num_classes = kClasses;
  source.class_names = class_names(root);
  source.labels = std::move(labels);
  return source;
}

// An image a file.
std::string cifar10_example(const std::filesystem::path& folder) {
  const auto [images, labels] = example_images(kChannels, kSide);
  const std::vector<std::string> files = file_names("all");
  for (std::size_t i = 0; i < files.size(); ++i)
    write_file(folder / files[i], static_cast<char>(labels[i]) + bytes_of(images[static_cast<std::int64_t>(i)]));
  return format("{type: cifar10, split: all, root: {}}", folder.string());
}

}  // namespace edmund
