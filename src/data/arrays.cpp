#include "edmund/core/error.h"
#include "edmund/io/npy_array.h"
#include "encoded.h"
#include "pass.h"

#include <ATen/ATen.h>
#include <filesystem>
#include <functional>
#include <memory>
#include <utility>

namespace edmund {
namespace {

constexpr std::uint64_t kArrayLimit = 1ull << 28;  // bytes of one

// Shape of the image that an array of this header becomes.
ImageHeader shape_of(const ArrayHeader& array, const ArrayReading& reading, const std::string& place) {
  const auto& sizes = array.shape;
  require(sizes.size() >= 2 && sizes.size() <= 4 && c10::multiply_integers(sizes) > 0,
          "{}: expected an array [C, H, W], found [{}]", place, at::IntArrayRef(sizes));
  ImageHeader out{.width = sizes.back(), .height = sizes[sizes.size() - 2], .channels = 1};
  for (std::size_t i = 0; i + 2 < sizes.size(); ++i) out.channels *= sizes[i];
  require(!reading.means || out.channels % 2 == 0, "{}: {} channels, but `latents: mean` takes them in two halves",
          place, out.channels);
  if (reading.means) out.channels /= 2;
  for (const auto* list : {&reading.mean, &reading.std})
    require(list->size() <= 1 || std::ssize(*list) == out.channels,
            "{}: {} channels, but `latent_mean` or `latent_std` has {} numbers", place, out.channels, list->size());
  return out;
}

bool is_bytes(const ArrayHeader& array) { return array.type == at::kByte; }

// Of the first array that can be read.
bool first_is_bytes(std::int64_t count, const std::function<ArrayHeader(std::int64_t)>& head) {
  for (std::int64_t i = 0; i + 1 < count; ++i) {
    try {
      return is_bytes(head(i));
    } catch (const Error&) {  // told by those who ask for this image
    }
  }
  return is_bytes(head(count - 1));
}

Tensor image_of(const Tensor& array, const ImageHeader& shape, const ArrayReading& reading) {
  Tensor x = array.reshape({-1, shape.height, shape.width});
  if (reading.means) x = x.narrow(0, 0, shape.channels);
  if (x.scalar_type() == at::kByte) return x.contiguous();
  x = x.to(at::kFloat);
  const auto column = [](const std::vector<double>& list) { return at::tensor(list, at::kFloat).view({-1, 1, 1}); };
  if (!reading.mean.empty()) x = x - column(reading.mean);
  if (!reading.std.empty()) x = x / column(reading.std);
  return (reading.scale == 1.0 ? x : x * reading.scale).contiguous();
}

}  // namespace

ArrayReading array_reading(Options& options) {
  ArrayReading out;
  out.means =
      options.choice("latents", "values", {"values", "mean"},
                     "what .npy files hold: values; or means, then deviations, of which the means are taken") == "mean";
  out.mean = options.reals("latent_mean", {}, {}, "what is subtracted from values of .npy files, by channel");
  out.std = options.reals("latent_std", {}, above(0), "what they are divided by then, by channel");
  out.scale = options.real("latent_scale", 1.0, above(0), "what they are multiplied by at last");
  return out;
}

ImageSource arrays(EncodedFiles files, const ArrayReading& reading) {
  const auto shared = std::make_shared<const EncodedFiles>(std::move(files));
  const auto name = [shared](std::int64_t i) {
    return (std::filesystem::path(shared->place) / (*shared->names)[i]).string();
  };
  const auto head = [=](std::int64_t i) { return array_header(shared->bytes(i, kNpyHead), name(i)); };
  require(reading.means || (*shared->names)[0].find("mean-std") == std::string_view::npos,
          "{}: an array of means and deviations, as its name says; `latents: mean` takes the means", name(0));
  const bool bytes = first_is_bytes(shared->names->size(), head);
  require(!bytes || (!reading.means && reading.mean.empty() && reading.std.empty() && reading.scale == 1.0),
          "{}: an array of bytes, which are pixels; options of latents do not go with them", name(0));
  std::vector<ImageHeader> headers(static_cast<std::size_t>(shared->names->size()));
  const auto header_of = [=](std::int64_t i) {
    const ArrayHeader found = head(i);
    require(is_bytes(found) == bytes && (bytes || at::isFloatingType(found.type)),
            "{}: an array of {}; real numbers, or bytes in all files, are expected", name(i),
            c10::toString(found.type));
    return shape_of(found, reading, name(i));
  };
  for_all_images(std::ssize(headers), "reading headers", [&](std::int64_t i) {
    try {
      headers[static_cast<std::size_t>(i)] = header_of(i);
    } catch (const Error&) {  // thrown again by header(), for those who ask for this image
    }
  });
  return {.name = std::filesystem::path(shared->place).filename().string(),
          .size = shared->names->size(),
          .header =
              [header_of, headers = std::move(headers)](std::int64_t i) {
                const ImageHeader& found = headers[static_cast<std::size_t>(i)];
                return found.width == 0 ? header_of(i) : found;
              },
          .image =
              [=](std::int64_t i) {
                const Tensor array = array_of(shared->bytes(i, kArrayLimit), name(i));
                const Tensor image = image_of(array, header_of(i), reading);
                require(bytes || at::isfinite(image).all().item<bool>(), "{}: holds values that are not finite",
                        name(i));
                return image;
              },
          .file = name,
          .content = [shared](std::int64_t i) { return std::string((*shared->names)[i]) + '\0' + shared->content(i); },
          .floats = !bytes};
}

}  // namespace edmund
