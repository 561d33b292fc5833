// folder — PNG and JPEG images in a folder, at any depth, in the order of their names. Sub-folders
// of the first level are classes, in the order of their names; images in the folder itself have no
// class, and the two must not be mixed.
//
//   root   (needed)  the folder
//   split  all       train | test | all; "test" is every fifth image of each class

#include "edmund/core/error.h"
#include "edmund/data/image_source.h"
#include "edmund/io/image_io.h"
#include "encoded.h"
#include "example.h"
#include "factories.h"

#include <algorithm>
#include <ATen/ATen.h>

namespace edmund {

ImageSource make_folder(Options& options) {
  const auto split =
      options.choice("split", "all", {"train", "test", "all"}, "which images; test: every fifth of each class");
  const auto root = existing_path(options, "root", "a folder of images");
  require(std::filesystem::is_directory(root), "{}: not a folder", root.string());
  const EncodedFiles files = files_below(root);
  std::vector<std::string> classes, loose;
  std::vector<std::int64_t> labels;
  for (const auto& name : files.names) {
    const auto slash = name.find('/');
    const auto folder = name.substr(0, slash);
    if (slash == std::string::npos) loose.push_back(name);
    // names are sorted: a folder's images lie together
    else if (classes.empty() || classes.back() != folder)
      classes.push_back(folder);
  }
  require(loose.empty() || classes.empty(),
          "{}: images both in the folder itself ({}) and in sub-folders, which are classes ({})", root.string(),
          loose.empty() ? "" : loose[0], classes.empty() ? "" : classes[0]);
  std::ranges::sort(classes);
  if (!classes.empty())
    for (const auto& name : files.names)
      labels.push_back(std::ranges::lower_bound(classes, name.substr(0, name.find('/'))) - classes.begin());
  ImageSource source = encoded(files);
  source.num_classes = static_cast<std::int64_t>(classes.size());
  source.class_names = std::move(classes);
  source.labels = std::move(labels);
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
