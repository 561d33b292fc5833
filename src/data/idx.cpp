// idx — images in an IDX file of unsigned bytes [N, H, W] (the format of MNIST), with or without
// labels [N] in another one. Files above 256 MB are read where they lie; compressed ones of that
// size from a temporary file ($TMPDIR).
//
//   images       required  file, plain or .gz
//   labels       ""        file, plain or .gz; "": no classes
//   num_classes  0         number of classes; 0: largest label + 1
//   split        all       train | test | all; "test" is every fifth image of each class

#include "edmund/core/error.h"
#include "edmund/core/files.h"
#include "edmund/data/image_source.h"
#include "edmund/io/idx_file.h"
#include "example.h"
#include "factories.h"

#include <ATen/ATen.h>

namespace edmund {

ImageSource make_idx(Options& options) {
  const auto labels = options.path("labels", {}, "IDX file of classes; empty: none");
  const auto num_classes =
      options.integer("num_classes", 0, between(0, 256), "number of classes; 0: largest label + 1");
  const auto split =
      options.choice("split", "all", {"train", "test", "all"}, "which images; test: every fifth of each class");
  options.check(num_classes == 0 || !labels.empty(), "num_classes", "num_classes needs `labels`");
  const auto path = existing_path(options, "images", "an IDX file of images");
  ImageSource source = stored(path.stem().string(), read_idx_pixels(path), path.string());
  if (!labels.empty()) {
    source.labels = read_idx_labels(labels);
    const auto count = static_cast<std::int64_t>(source.labels.size());
    require(count == source.size, "{}: {} labels, but {} has {} images", labels.string(), count, path.string(),
            source.size);
    source.num_classes = checked_classes(source.labels, num_classes, labels.string());
  }
  source = split_by_class(std::move(source), split);
  if (split != "all") source.name += " " + split;
  return source;
}

std::string idx_example(const std::filesystem::path& folder) {
  const auto [images, labels] = example_images(1, 8);
  const auto image_file = folder / "images.idx", label_file = folder / "labels.idx";
  write_file(image_file, idx_bytes(images.squeeze(1)));
  write_file(label_file, idx_bytes(at::tensor(labels, at::kLong).to(at::kByte)));
  return format("{type: idx, images: {}, labels: {}}", image_file.string(), label_file.string());
}

}  // namespace edmund
