// folder — PNG, JPEG and WebP images in a folder, at any depth, in the order of their names.
// Sub-folders of the first level are classes, in the order of their names; images in the folder
// itself have no class, and the two must not be mixed. Where all sub-folders are called train,
// test, val …, one of them is meant, and the folder is refused. Links are followed; hidden files
// and folders, __MACOSX, pipes and devices are left out.
//
//   root         required  the folder
//   background   []        [r, g, b] behind what is transparent; []: such images are refused
//   sixteen_bit  round     images of 16 bits: round (to 8) | keep (as real numbers) | refuse
//   split        all       train | test | all; "test" is every fifth image of each class

#include "edmund/core/error.h"
#include "edmund/core/log.h"
#include "edmund/data/image_source.h"
#include "edmund/io/image_io.h"
#include "encoded.h"
#include "example.h"
#include "factories.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <cctype>
#include <iterator>

namespace edmund {
namespace {

// Whether a folder of this name holds a part of a data set: "train", "val2017", "test_images".
bool is_part_name(std::string_view name) {
  std::string word;
  for (const char c : name) {
    if (std::isalpha(static_cast<unsigned char>(c)) == 0) break;
    word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  static constexpr std::string_view kParts[] = {"train", "training", "test", "testing",    "val",
                                                "valid", "dev",      "eval", "validation", "holdout"};
  return std::ranges::find(kParts, word) != std::end(kParts);
}

struct Classes {
  std::vector<std::string> names;
  std::vector<std::int64_t> labels;
};

void check_classes(const std::vector<std::string>& classes, const std::filesystem::path& root) {
  check_text(classes, format("{}: the name of the class folder", root.string()));
  if (!classes.empty() && std::ranges::all_of(classes, is_part_name))
    fail("{}: its sub-folders ({}{}) are parts of a data set, not classes; name one of them: `root: {}`", root.string(),
         classes[0], classes.size() > 1 ? ", " + classes[1] : "",
         (root / (std::ranges::find(classes, "train") != classes.end() ? "train" : classes[0])).string());
}

// Sub-folders of the first level, and the class of each image.
Classes classes_of(const NameList& names, const std::filesystem::path& root) {
  Classes out;
  std::string_view loose;
  bool deeper = false;
  for (std::int64_t i = 0; i < names.size(); ++i) {
    const auto slash = names[i].find('/');
    if (slash == std::string_view::npos) {
      if (loose.empty()) loose = names[i];
      continue;
    }
    deeper = deeper || names[i].find('/', slash + 1) != std::string_view::npos;
    const auto folder = names[i].substr(0, slash);
    // names are sorted: a folder's images lie together
    if (out.names.empty() || out.names.back() != folder) out.names.emplace_back(folder);
  }
  require(loose.empty() || out.names.empty(),
          "{}: images both in the folder itself ({}) and in sub-folders, which are classes ({})", root.string(), loose,
          out.names.empty() ? "" : out.names[0]);
  std::ranges::sort(out.names);
  check_classes(out.names, root);
  if (out.names.size() == 1 && deeper)
    log::warn(
        "{}: all images lie in one sub-folder, '{}', and are of one class; if its own sub-folders are the "
        "classes, use `root: {}`",
        root.string(), out.names[0], (root / out.names[0]).string());
  if (!out.names.empty())
    for (std::int64_t i = 0; i < names.size(); ++i)
      out.labels.push_back(std::ranges::lower_bound(out.names, names[i].substr(0, names[i].find('/'))) -
                           out.names.begin());
  return out;
}

}  // namespace

ImageSource make_folder(Options& options) {
  const auto split =
      options.choice("split", "all", {"train", "test", "all"}, "which images; test: every fifth of each class");
  const ImageReading reading = image_reading(options);
  const auto root = existing_path(options, "root", "a folder of images");
  require(std::filesystem::is_directory(root), "{}: not a folder{}", root.string(),
          root.extension() == ".zip" ? "; `type: edm-zip` reads zip archives" : "");
  FoundFiles found = files_below(root);
  report_left_out(found.images, found.others, root.string());
  Classes classes = classes_of(found.images, root);
  ImageSource source = encoded(images_in(root, std::move(found.images)), reading);
  source.num_classes = static_cast<std::int64_t>(classes.names.size());
  source.class_names = std::move(classes.names);
  source.labels = std::move(classes.labels);
  source = split_by_class(std::move(source), split);
  if (split != "all") source.name += " " + split;
  return source;
}

std::string folder_example(const std::filesystem::path& folder) {
  const auto [images, labels] = example_images(3, 8);
  for (std::size_t i = 0; i < labels.size(); ++i)
    write_png(folder / (labels[i] == 0 ? "cats" : "dogs") / format("{}.png", i), images[static_cast<std::int64_t>(i)]);
  return format("{type: folder, root: {}}", folder.string());
}

}  // namespace edmund
