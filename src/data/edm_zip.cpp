// edm-zip — images as the dataset_tool of NVlabs/edm writes them (Karras et al. 2022): a zip
// archive or a folder of PNG (or JPEG) images, in the order of their names, with their classes in
// dataset.json:
//
//   {"labels": [["00000/img00000000.png", 6], ["00000/img00000001.png", 9], …]}
//   or {"labels": null}
//
//   Labels are classes from 0 on, and every image has one. Vectors of real numbers as labels are
//   refused.
//
//   root         (needed)  the zip archive or folder
//   num_classes  0         number of classes; 0: largest label + 1
//   split        all       train | test | all; "test" is every fifth image of each class

#include "edmund/core/error.h"
#include "edmund/core/files.h"
#include "edmund/core/json_text.h"
#include "edmund/core/log.h"
#include "edmund/data/image_source.h"
#include "edmund/io/image_io.h"
#include "edmund/io/zip_archive.h"
#include "encoded.h"
#include "example.h"
#include "factories.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_map>

namespace edmund {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kLabelFile = "dataset.json";
constexpr std::uint64_t kJsonLimit = 1ull << 28;
constexpr std::uint64_t kEntryLimit = 1ull << 28;

struct Contents {
  EncodedFiles files;
  std::optional<std::string> labels;  // text of dataset.json
};

Contents read_archive(const std::filesystem::path& path) {
  const auto archive = std::make_shared<const ZipArchive>(path);
  std::vector<ZipArchive::Entry> images;
  Contents contents;
  for (const auto& entry : archive->entries()) {
    const std::uint64_t limit = entry.name == kLabelFile ? kJsonLimit : kEntryLimit;
    require(entry.size <= limit, "{}/{}: {} bytes uncompressed; at most {} are read", path.string(), entry.name,
            entry.size, limit);
    if (entry.name == kLabelFile) contents.labels = archive->read(entry, kJsonLimit);
    if (!is_image_name(entry.name)) continue;
    images.push_back(entry);
    contents.files.names.push_back(entry.name);
  }
  contents.files.place = path.string();
  contents.files.bytes = [archive, images = std::move(images)](std::int64_t i, std::uint64_t limit) {
    return archive->read(images[static_cast<std::size_t>(i)], limit);
  };
  return contents;
}

Contents read_folder(const std::filesystem::path& root) {
  Contents contents{.files = files_below(root, kLabelFile), .labels = {}};
  if (std::filesystem::exists(root / kLabelFile)) contents.labels = read_file(root / kLabelFile, kJsonLimit);
  return contents;
}

Json parsed(const std::string& text, std::string_view place) {
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& error) {
    fail("{}: not valid JSON at byte {}", place, error.byte);
  }
}

// Name and class of one entry of the list.
std::pair<std::string, std::int64_t> label_pair(const Json& entry, std::size_t number, std::string_view place) {
  require(entry.is_array() && entry.size() == 2 && entry[0].is_string(),
          "{}: entry {} of `labels` must be [\"name of the image\", class]", place, number);
  const auto name = entry[0].get<std::string>();
  const Json& label = entry[1];
  require(!label.is_array(), "{}: '{}' has a vector as its label; classes (whole numbers from 0 on) are read", place,
          name);
  require(label.is_number_unsigned() && label.get<std::uint64_t>() < (1ull << 31),
          "{}: '{}' has a label that is not a class (a whole number from 0 on)", place, name);
  return {name, label.get<std::int64_t>()};
}

// Class of each image; empty if there are none.
std::vector<std::int64_t> read_labels(const std::string& text, const std::vector<std::string>& names,
                                      const std::string& place) {
  const Json document = parsed(text, place);
  require(document.is_object(), "{}: a mapping with the key `labels` is expected", place);
  const auto found = document.find("labels");
  if (found == document.end() || found->is_null()) return {};
  require(found->is_array(), "{}: `labels` must be a list or null", place);
  std::unordered_map<std::string, std::int64_t> classes;
  for (std::size_t i = 0; i < found->size(); ++i) {
    const auto [name, label] = label_pair((*found)[i], i, place);
    require(classes.emplace(name, label).second, "{}: '{}' has two labels", place, name);
  }
  std::vector<std::int64_t> labels;
  for (const auto& name : names) {
    const auto at = classes.find(name);
    require(at != classes.end(), "{}: no label for the image '{}'", place, name);
    labels.push_back(at->second);
  }
  if (classes.size() > names.size())
    log::warn("{}: {} labels for images that are not there", place, classes.size() - names.size());
  return labels;
}

}  // namespace

ImageSource make_edm_zip(Options& options) {
  const auto num_classes =
      options.integer("num_classes", 0, between(0, 1 << 20), "number of classes; 0: largest label + 1");
  const auto split =
      options.choice("split", "all", {"train", "test", "all"}, "which images; test: every fifth of each class");
  const auto root = existing_path(options, "root", "a zip archive or a folder of images with dataset.json");
  const Contents contents = std::filesystem::is_directory(root) ? read_folder(root) : read_archive(root);
  const auto place = (root / kLabelFile).string();
  std::vector<std::int64_t> labels;
  if (contents.labels) labels = read_labels(*contents.labels, contents.files.names, place);
  ImageSource source = encoded(contents.files);
  require(num_classes == 0 || !labels.empty(), "{}: no labels, but `num_classes` is given", place);
  if (!labels.empty()) source.num_classes = checked_classes(labels, num_classes, place);
  source.labels = std::move(labels);
  source = split_by_class(std::move(source), split);
  if (split != "all") source.name += " " + split;
  return source;
}

std::string edm_zip_example(const std::filesystem::path& folder) {
  const auto [images, labels] = example_images(3, 8);
  Json list = Json::array();
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::string name = format("00000/img0000000{}.png", i);
    write_png(folder / name, images[static_cast<std::int64_t>(i)]);
    list.push_back({name, labels[i]});
  }
  write_file(folder / kLabelFile, json_text(Json{{"labels", list}}));
  return format("{type: edm-zip, root: {}}", folder.string());
}

}  // namespace edmund
