// edm-zip — images as the dataset_tool of NVlabs/edm writes them (Karras et al. 2022): a zip
// archive or a folder of PNG (or JPEG, WebP) images, in the order of their names, with their
// classes in dataset.json:
//
//   {"labels": [["00000/img00000000.png", 6], ["00000/img00000001.png", 9], …]}
//   or {"labels": null}
//
//   Labels are classes from 0 on, and every image has one. Vectors of real numbers as labels are
//   refused. dataset.json may lie deeper (`zip -r data.zip mydata`): then what lies in its folder
//   is read, and names count from there. Hidden files and __MACOSX are left out.
//
//   Or of .npy arrays [C, H, W], as NVlabs/edm2's dataset_tool encodes latents (Karras et al.
//   2024): real numbers are taken as they are, or as (x - latent_mean)/latent_std·latent_scale;
//   bytes are pixels. Its files img-mean-std-N.npy hold means and deviations of each latent:
//   `latents: mean` takes the means (where EDM2 draws a new sample each time).
//
//   root         required  the zip archive or folder
//   background   []        [r, g, b] behind what is transparent; []: such images are refused
//   sixteen_bit  round     images of 16 bits: round (to 8) | keep (as real numbers) | refuse
//   latents      values    of .npy files: values | mean
//   latent_mean  []        by channel (EDM2: [5.81, 3.25, 0.12, -2.15])
//   latent_std   []        by channel (EDM2: [4.17, 4.62, 3.71, 3.28])
//   latent_scale 1         (EDM2: 0.5)
//   num_classes  0         number of classes; 0: largest label + 1
//   split        all       train | test | all; "test" is every fifth image of each class

#include "edmund/archives/zip_archive.h"
#include "edmund/core/error.h"
#include "edmund/core/files.h"
#include "edmund/core/json_text.h"
#include "edmund/core/log.h"
#include "edmund/core/parsed_json.h"
#include "edmund/data/image_source.h"
#include "edmund/io/image_io.h"
#include "encoded.h"
#include "example.h"
#include "factories.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

namespace edmund {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kLabelFile = "dataset.json";
constexpr std::uint64_t kEntryLimit = 1ull << 28;
// of dataset.json, and for each image
constexpr std::uint64_t kLabelBytes = 1 << 20, kLabelBytesEach = 512;

// What lies in an archive or folder, before anything is decoded.
struct Contents {
  FoundFiles files;
  NameList arrays;
  std::function<std::string(std::string_view name, std::uint64_t limit)> text;  // of dataset.json
  std::function<EncodedFiles(NameList)> images;                                 // of these names
};

Contents read_archive(const std::filesystem::path& path) {
  const auto archive = std::make_shared<const ZipArchive>(path);
  Contents contents;
  for (const auto& entry : archive->entries()) {  // sorted by name
    if (is_hidden(entry.name)) continue;
    require(entry.size <= kEntryLimit, "{}/{}: {} bytes uncompressed; at most {} are read", path.string(), entry.name,
            entry.size, kEntryLimit);
    (is_image_name(entry.name)   ? contents.files.images
     : is_array_name(entry.name) ? contents.arrays
                                 : contents.files.others)
        .add(entry.name);
  }
  const auto entry_of = [archive](std::string_view name) -> const ZipArchive::Entry& {
    return *std::ranges::lower_bound(archive->entries(), name, {}, &ZipArchive::Entry::name);
  };
  contents.text = [=](std::string_view name, std::uint64_t limit) {
    const auto& entry = entry_of(name);
    require(entry.size <= limit, "{}/{}: {} bytes, more than the {} that labels of the images there can take",
            path.string(), entry.name, entry.size, limit);
    return archive->read(entry, limit);
  };
  contents.images = [=](NameList names) {
    const auto shared = std::make_shared<const NameList>(std::move(names));
    return EncodedFiles{
        .place = path.string(),
        .names = shared,
        .bytes = [=](std::int64_t i, std::uint64_t limit) { return archive->read(entry_of((*shared)[i]), limit); },
        .content =
            [=](std::int64_t i) {
              const auto& entry = entry_of((*shared)[i]);
              return format("{} {}", entry.size, entry.crc);
            }};
  };
  return contents;
}

Contents read_folder(const std::filesystem::path& root) {
  FoundFiles files = files_below(root);
  NameList arrays, others;
  for (std::int64_t i = 0; i < files.others.size(); ++i)
    (is_array_name(files.others[i]) ? arrays : others).add(files.others[i]);
  files.others = std::move(others);
  return {.files = std::move(files),
          .arrays = std::move(arrays),
          .text = [root](std::string_view name, std::uint64_t limit) { return read_file(root / name, limit); },
          .images = [root](NameList names) { return images_in(root, std::move(names)); }};
}

// Name of the one dataset.json, at whatever depth; "" without one.
std::string label_file(const NameList& others, std::string_view root) {
  std::string found;
  for (std::int64_t i = 0; i < others.size(); ++i) {
    const auto name = others[i];
    if (name != kLabelFile && !name.ends_with("/" + std::string(kLabelFile))) continue;
    require(found.empty(), "{}: two label files, {} and {}; name the folder of one as `root`, or take one out", root,
            found, name);
    found = name;
  }
  return found;
}

// The images below `base`, the folder of dataset.json with its slash; a warning counts the others.
NameList images_below(NameList images, std::string_view base, std::string_view root) {
  if (base.empty()) return images;
  NameList below;
  for (std::int64_t i = 0; i < images.size(); ++i)
    if (images[i].starts_with(base)) below.add(images[i]);
  log::info("{}: read as of {}, where {} lies", root, base, kLabelFile);
  if (below.size() < images.size())
    log::warn("{}: {} images outside of {} are left out", root, images.size() - below.size(), base);
  require(!below.empty(), "{}: there are no PNG, JPEG or WebP images in {}, where {} lies", root, base, kLabelFile);
  return below;
}

// Without dataset.json: sub-folders with names of their own look like classes, but are not read so.
void warn_of_folders(const NameList& images, std::string_view root) {
  for (std::int64_t i = 0; i < images.size(); ++i) {
    const auto slash = images[i].find('/');
    const auto folder = images[i].substr(0, slash);
    if (slash == std::string_view::npos || folder.find_first_not_of("0123456789") == std::string_view::npos) continue;
    log::warn(
        "{}: there is no {}, so that the images have no classes; sub-folders ({}) are classes where an unpacked "
        "folder is read by `type: folder`",
        root, kLabelFile, folder);
    return;
  }
}

Json parsed(const std::string& text, std::string_view place) {
  require(!nested_too_deep(text), "{}: not valid JSON: nested too deep", place);
  require(text.find('\0') == std::string::npos, "{}: not valid JSON at byte {}", place, text.find('\0') + 1);
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

// Class of each image, whose names begin with `base`; empty if there are none.
std::vector<std::int64_t> read_labels(const std::string& text, const NameList& names, std::string_view base,
                                      const std::string& place) {
  const Json document = parsed(text, place);
  require(document.is_object(), "{}: a mapping with the key `labels` is expected", place);
  const auto found = document.find("labels");
  if (found == document.end() || found->is_null()) return {};
  require(found->is_array(), "{}: `labels` must be a list or null", place);
  std::vector<std::int64_t> labels(static_cast<std::size_t>(names.size()), -1);
  std::int64_t strangers = 0;  // labels of images that are not there
  std::string stranger;
  for (std::size_t i = 0; i < found->size(); ++i) {
    const auto [name, label] = label_pair((*found)[i], i, place);
    const auto at = names.find(std::string(base) + (name.starts_with("./") ? name.substr(2) : name));
    if (at < 0 && strangers++ == 0) stranger = name;
    if (at < 0) continue;
    require(labels[static_cast<std::size_t>(at)] < 0, "{}: '{}' has two labels", place, name);
    labels[static_cast<std::size_t>(at)] = label;
  }
  const auto unlabeled = std::ranges::count(labels, -1);
  const auto first = std::ranges::find(labels, -1) - labels.begin();
  const std::string beside =
      strangers > 0 ? format("; labels of images that are not there: {} ('{}')", strangers, stranger) : "";
  require(unlabeled == 0, "{}: no label for the image '{}'; {} of {} images have none{}", place,
          unlabeled == 0 ? "" : names[first].substr(base.size()), unlabeled, names.size(), beside);
  if (strangers > 0)
    log::warn("{}: labels of images that are not there are left out: {} ('{}' for one)", place, strangers, stranger);
  return labels;
}

}  // namespace

ImageSource make_edm_zip(Options& options) {
  const auto num_classes =
      options.integer("num_classes", 0, between(0, 1 << 20), "number of classes; 0: largest label + 1");
  const auto split =
      options.choice("split", "all", {"train", "test", "all"}, "which images; test: every fifth of each class");
  const ImageReading reading = image_reading(options);
  const ArrayReading array_options = array_reading(options);
  const auto root = existing_path(options, "root", "a zip archive or a folder of images with dataset.json");
  Contents contents = std::filesystem::is_directory(root) ? read_folder(root) : read_archive(root);
  const std::string file = label_file(contents.files.others, root.string());
  const std::string base = file.substr(0, file.size() - std::min(file.size(), kLabelFile.size()));
  const std::string place = (root / (file.empty() ? std::string(kLabelFile) : file)).string();
  contents.files.others.remove(file);
  const bool of_arrays = !contents.arrays.empty();
  require(!of_arrays || contents.files.images.empty(), "{}: both images ({}) and arrays ({}); keep one kind",
          root.string(), of_arrays && !contents.files.images.empty() ? contents.files.images[0] : "",
          of_arrays ? contents.arrays[0] : "");
  if (of_arrays) contents.files.images = std::move(contents.arrays);
  report_left_out(contents.files.images, contents.files.others, root.string());
  if (file.empty()) warn_of_folders(contents.files.images, root.string());
  NameList names = images_below(std::move(contents.files.images), base, root.string());
  std::vector<std::int64_t> labels;
  // A value of nlohmann's library is up to 16 times as large as its text.
  const std::uint64_t most =
      std::min(kEntryLimit, kLabelBytes + kLabelBytesEach * static_cast<std::uint64_t>(names.size()));
  if (!file.empty()) labels = read_labels(contents.text(file, most), names, base, place);
  require(num_classes == 0 || !labels.empty(), "{}: no labels, but `num_classes` is given", place);
  EncodedFiles files = contents.images(std::move(names));
  ImageSource source = of_arrays ? arrays(std::move(files), array_options) : encoded(std::move(files), reading);
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
