#pragma once

#include "edmund/core/options.h"
#include "edmund/core/tensor.h"
#include "edmund/data/fingerprint.h"
#include "edmund/io/image_io.h"
#include "edmund/io/pixel_file.h"

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace edmund {

/// Images as the files of a data set have them, before anything is resized: what a data set plugin
/// makes. The functions take an index in [0, size), are thread-safe, and throw Error for an image
/// that is damaged.
struct ImageSource {
  std::string name = {};                      // "digits train", for reports
  std::int64_t size = 0;                      // images
  std::int64_t num_classes = 0;               // 0: no labels
  std::vector<std::string> class_names = {};  // num_classes entries, or empty
  // size entries in [0, num_classes), or empty without classes
  std::vector<std::int64_t> labels = {};
  std::function<ImageHeader(std::int64_t)> header = {};  // shape, without decoding
  // uint8 [C, H, W]; float32 where `floats`
  std::function<Tensor(std::int64_t)> image = {};
  std::function<std::string(std::int64_t)> file = {};  // where the image comes from, for messages
  // name and content of the image in few bytes, without the folder in which it lies
  std::function<std::string(std::int64_t)> content = {};
  bool floats = false;  // images are float32, as the model takes them
};

/// What a run asks of the images of any data set; see make_dataset.
struct Adaptation {
  std::int64_t size = 0;
  std::string resize = "refuse";
  std::int64_t channels = 0;
};

/// The images that a config's `data:` names, and what it asks of them: make_dataset up to the point
/// where headers must be whole and images take one shape.
struct OpenedData {
  ImageSource source;
  Adaptation wanted;
};
OpenedData open_data(Options& options);

/// The source's images, all brought to one shape. Looks at every header and throws Error for the
/// first image that cannot be given that shape.
ImageSource of_one_shape(ImageSource source, const Adaptation& wanted);

/// Images that lie in memory: uint8 [N, C, H, W] from `file`. Labels, classes and their names are
/// the caller's to add.
ImageSource stored(std::string name, const Tensor& images, std::string file);

/// The same of a file's bytes [N, H, W] or [N, H, W, C], which are read when they are asked for.
ImageSource stored(std::string name, const PixelFile& pixels, std::string file);

/// See DataFingerprint. Shows progress.
DataFingerprint fingerprint(const ImageSource& source);

/// The images at `indices`, in that order.
ImageSource selected(ImageSource whole, std::vector<std::int64_t> indices);

/// For data sets without a split of their own: "test" is every fifth image of each class in the
/// order of the files (the 5th, 10th, 15th …), "train" the others, "all" everything. Without labels
/// all images count as one class.
ImageSource split_by_class(ImageSource whole, std::string_view split);

/// `count` of `size` indices, chosen by seed, ascending; all of them if there are no more.
std::vector<std::int64_t> chosen_indices(std::int64_t size, std::int64_t count, std::uint64_t seed);

/// Checks labels against [0, num_classes) and answers the number of classes: `num_classes`, or the
/// largest label + 1 if it is 0. Throws Error naming `place` and the position of the first label
/// that does not fit.
std::int64_t checked_classes(std::span<const std::int64_t> labels, std::int64_t num_classes, std::string_view place);

}  // namespace edmund
