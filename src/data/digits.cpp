// digits — 1,797 handwritten digits of 8x8 pixels, 10 classes, grey (UCI Optical Recognition of
// Handwritten Digits, test part; E. Alpaydin and C. Kaynak 1998). Small enough to train on in a
// minute without a GPU.
//
//   The file digits.csv.gz has a line for each image: 64 values in 0 … 16, row by row, and the
//   class, separated by commas. Values are scaled to 0 … 255. There is no split of its own: "test"
//   is every fifth image of each class, in the order of the file.
//
//   root   ""      folder of digits.csv.gz; "": data/digits in $EDMUND_DEPS, $XDG_CACHE_HOME/edmund
//                  or ~/.cache/edmund
//   split  train   train | test | all

#include "edmund/core/error.h"
#include "edmund/core/files.h"
#include "edmund/core/text.h"
#include "edmund/data/image_source.h"
#include "example.h"
#include "factories.h"

#include <ATen/ATen.h>
#include <cstdlib>
#include <filesystem>

namespace edmund {
namespace {

constexpr std::int64_t kSide = 8, kPixels = kSide * kSide, kWhite = 16, kClasses = 10;

// Where scripts/setup puts what it fetches.
std::filesystem::path dependencies() {
  const auto variable = [](const char* name) -> std::string_view {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
  };
  if (const auto folder = variable("EDMUND_DEPS"); !folder.empty()) return folder;
  if (const auto folder = variable("XDG_CACHE_HOME"); !folder.empty()) return std::filesystem::path(folder) / "edmund";
  return std::filesystem::path(variable("HOME")) / ".cache/edmund";
}

// The numbers of one line: 64 pixels and the class.
std::vector<std::int64_t> numbers(std::string_view line, std::string_view place) {
  std::vector<std::int64_t> out;
  for (std::size_t at = 0; at <= line.size();) {
    const auto end = std::min(line.find(',', at), line.size());
    const auto field = line.substr(at, end - at);
    const auto value = parse_integer(field);
    const bool last = static_cast<std::int64_t>(out.size()) == kPixels;
    require(value && *value >= 0 && *value <= (last ? kClasses - 1 : kWhite),
            "{}: column {} is '{}', but {} is expected", place, out.size() + 1, field,
            last ? "a class from 0 to 9" : "a whole number from 0 to 16");
    require(static_cast<std::int64_t>(out.size()) <= kPixels, "{}: more than {} columns", place, kPixels + 1);
    out.push_back(*value);
    at = end + 1;
  }
  require(static_cast<std::int64_t>(out.size()) == kPixels + 1,
          "{}: {} columns, but {} are expected (64 pixels and the class)", place, out.size(), kPixels + 1);
  return out;
}

ImageSource read_digits(const std::filesystem::path& path) {
  const std::string text = read_gzip(path, 1 << 24);
  std::vector<std::uint8_t> pixels;
  std::vector<std::int64_t> labels;
  std::int64_t row = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    auto line = std::string_view(text).substr(at, end - at);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const auto values = numbers(line, format("{}:{}", path.string(), ++row));
    for (std::int64_t i = 0; i < kPixels; ++i)
      pixels.push_back(static_cast<std::uint8_t>((values[static_cast<std::size_t>(i)] * 255 + kWhite / 2) / kWhite));
    labels.push_back(values.back());
    at = end + 1;
  }
  require(row > 0, "{}: the file is empty; run scripts/setup to get it", path.string());
  const Tensor images = at::from_blob(pixels.data(), {row, 1, kSide, kSide}, at::kByte).clone();
  ImageSource source = stored("digits", images, path.string());
  source.num_classes = kClasses;
  for (std::int64_t i = 0; i < kClasses; ++i) source.class_names.push_back(std::to_string(i));
  source.labels = std::move(labels);
  return source;
}

}  // namespace

ImageSource make_digits(Options& options) {
  const auto root = options.path("root", {}, "folder of digits.csv.gz; empty: where scripts/setup puts it").string();
  const auto split =
      options.choice("split", "train", {"train", "test", "all"}, "which images; test: every fifth of each class");
  const auto path = (root.empty() ? dependencies() / "data/digits" : std::filesystem::path(root)) / "digits.csv.gz";
  require(is_there(path), "{}: the digits are not there; run scripts/setup, or give their folder as `root`",
          path.string());
  ImageSource source = split_by_class(read_digits(path), split);
  source.name += " " + split;
  return source;
}

// The file may also be plain.
std::string digits_example(const std::filesystem::path& folder) {
  const auto [images, labels] = example_images(1, kSide);
  const Tensor values = images.remainder(kWhite + 1).to(at::kLong).flatten(1);
  std::string text;
  for (std::int64_t i = 0; i < values.size(0); ++i) {
    for (std::int64_t k = 0; k < kPixels; ++k) text += format("{},", values[i][k].item<std::int64_t>());
    text += format("{}\n", labels[static_cast<std::size_t>(i)]);
  }
  write_file(folder / "digits.csv.gz", text);
  return format("{type: digits, split: all, root: {}}", folder.string());
}

}  // namespace edmund
