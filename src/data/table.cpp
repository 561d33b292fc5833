#include "adapted.h"
#include "damaged.h"
#include "edmund/core/error.h"
#include "edmund/core/text.h"
#include "edmund/data/dataset.h"
#include "factories.h"

#include <cstdio>
#include <system_error>
#include <utility>

namespace edmund {

DatasetFactory make_cifar10, make_digits, make_edm_zip, make_fashion_mnist, make_folder, make_idx, make_npz;
DatasetExample cifar10_example, digits_example, edm_zip_example, fashion_mnist_example, folder_example, idx_example,
    npz_example;

namespace {

constexpr DatasetEntry kDatasets[] = {
    {"cifar10", "CIFAR-10, 32x32 RGB, 10 classes, binary version", "Krizhevsky 2009", make_cifar10, cifar10_example},
    {"digits", "UCI handwritten digits, 8x8 grey, 10 classes", "Alpaydin and Kaynak 1998", make_digits, digits_example},
    {"edm-zip", "zip or folder of PNG or .npy with dataset.json, as NVlabs/edm has it",
     "Karras et al. 2022, dataset_tool", make_edm_zip, edm_zip_example},
    {"fashion-mnist", "Fashion-MNIST, 28x28 grey, 10 classes", "Xiao et al. 2017", make_fashion_mnist,
     fashion_mnist_example},
    {"folder", "PNG, JPEG and WebP images in a folder; sub-folders are classes", "-", make_folder, folder_example},
    {"idx", "images (and labels) in IDX files, plain or .gz", "LeCun et al. 1998, MNIST", make_idx, idx_example},
    {"npz", "images (and labels) as arrays of an .npz file, as samples are published", "Dhariwal and Nichol 2021",
     make_npz, npz_example},
};

// Bytes beyond ASCII as \xf6: what they mean is not known.
std::string escaped(std::string_view name) {
  std::string out;
  for (const char c : name) {
    char code[8] = {c, '\0'};
    if (static_cast<unsigned char>(c) >= 0x80)
      std::snprintf(code, sizeof code, "\\x%02x", static_cast<unsigned char>(c));
    out += code;
  }
  return out;
}

// Without its type nothing can be said about the other keys: they are left alone.
const DatasetEntry& known_entry(Options& options) {
  const auto type = options.text("type", "digits", "data set, or format of the files");
  for (const auto& entry : kDatasets)
    if (entry.name == type) return entry;
  for (const auto& key : options.keys()) options.defer(key);
  fail("unknown data set '{}'{}", type, suggestion(type, names(dataset_table())));
}

}  // namespace

std::span<const DatasetEntry> dataset_table() { return kDatasets; }

bool is_there(const std::filesystem::path& path) {
  std::error_code code;
  return std::filesystem::exists(path, code);
}

void check_text(std::span<const std::string> names, std::string_view what) {
  for (const auto& name : names) require(is_utf8(name), "{} '{}' is not UTF-8; rename it", what, escaped(name));
}

std::filesystem::path existing_path(Options& options, std::string_view key, std::string_view what) {
  const std::filesystem::path path = options.path(key, what);
  options.mark_needed(key);
  require(!path.empty() || !options.has(key),
          "{}: nothing is there; a path starts at the folder of the file that names it", options.where(key));
  require(!path.empty(), "`{}` is missing; it gives {}", key, what);
  require(is_there(path), "{}: `{}` should be {}, but nothing is there", path.string(), key, what);
  return path;
}

OpenedData open_data(Options& options) {
  const auto& entry = known_entry(options);
  Adaptation wanted{
      .size = options.integer("size", 0, between(0, 1 << 13),
                              "height and width that images are brought to, in pixels; 0: their own"),
      .resize = options.choice("resize", "refuse", {"refuse", "pad", "area", "bilinear", "bicubic", "crop"},
                               "how images come to that size"),
      .channels =
          options.integer("channels", 0, between(0, 3), "1 grey, 3 RGB, 0 the images' own; grey is repeated as RGB")};
  options.check(wanted.channels != 2, "channels", "expected 1 (grey), 3 (RGB) or 0 (the images' own), found 2");
  options.check(wanted.resize == "refuse" || wanted.size > 0, "resize", "resizing needs `size`");
  if (wanted.channels == 2) wanted.channels = 0;
  if (wanted.size == 0) wanted.resize = "refuse";
  const auto max_images =
      options.integer("max_images", 0, at_least(0), "at most so many images, chosen by choice_seed; 0: all");
  const auto seed =
      static_cast<std::uint64_t>(options.integer("choice_seed", 0, at_least(0), "of the choice that max_images makes"));
  const bool skips = options.choice("damaged", "refuse", {"refuse", "skip"},
                                    "what becomes of images that cannot be decoded") == "skip";
  ImageSource source = entry.make(options);
  check_text(source.class_names, format("{}: the name of the class", source.name));
  if (!is_utf8(source.name)) source.name = escaped(source.name);
  if (skips) source = without_damaged(std::move(source));
  if (max_images > 0) {
    auto indices = chosen_indices(source.size, max_images, seed);
    source = selected(std::move(source), std::move(indices));
  }
  return {.source = std::move(source), .wanted = wanted};
}

std::unique_ptr<Dataset> make_dataset(Options& options) {
  OpenedData opened = open_data(options);
  require_headers(opened.source);
  return adapted(std::move(opened.source), opened.wanted);
}

}  // namespace edmund
