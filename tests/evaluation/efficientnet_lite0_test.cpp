#include "edmund/core/error.h"
#include "edmund/core/files.h"
#include "edmund/evaluation/features.h"
#include "edmund/io/tensor_file.h"
#include "helpers.h"
#include "support/catch.h"
#include "support/formula_weights.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <unistd.h>

using namespace edmund;
using testing::FormulaWeights;
using testing::MemoryDataset;

namespace {

/// A block as the table of the network has it: kernel, stride, channels in and out.
struct Block {
  std::int64_t kernel, stride, in, out;
};
const std::vector<Block> kBlocks = {{3, 1, 32, 16},   {3, 2, 16, 24},   {3, 1, 24, 24},   {5, 2, 24, 40},
                                    {5, 1, 40, 40},   {3, 2, 40, 80},   {3, 1, 80, 80},   {3, 1, 80, 80},
                                    {5, 1, 80, 112},  {5, 1, 112, 112}, {5, 1, 112, 112}, {5, 2, 112, 192},
                                    {5, 1, 192, 192}, {5, 1, 192, 192}, {5, 1, 192, 192}, {3, 1, 192, 320}};

/// A picture in double precision, [channels][row][column].
struct Map {
  std::int64_t channels = 0, side = 0;
  std::vector<double> values;
  double at(std::int64_t c, std::int64_t y, std::int64_t x) const {
    return y < 0 || x < 0 || y >= side || x >= side ? 0.0 : values[static_cast<std::size_t>((c * side + y) * side + x)];
  }
};

/// Convolution from its definition; `each`: every channel alone. SAME padding of TensorFlow: the
/// output has ceil(side/stride) pixels and of the padding that this takes, the smaller half lies
/// left and on top.
Map convolved(const Map& in, const Tensor& weight, const Tensor& bias, std::int64_t stride, bool each, bool relu6) {
  const std::int64_t k = weight.size(2), side = (in.side + stride - 1) / stride,
                     before = std::max<std::int64_t>((side - 1) * stride + k - in.side, 0) / 2;
  Map out{weight.size(0), side, std::vector<double>(static_cast<std::size_t>(weight.size(0) * side * side))};
  const Tensor w = weight.to(at::kDouble).contiguous(), b = bias.to(at::kDouble).contiguous();
  for (std::int64_t o = 0; o < out.channels; ++o) {
    double* plane = out.values.data() + o * side * side;
    std::fill(plane, plane + side * side, b.const_data_ptr<double>()[o]);
    for (std::int64_t c = 0; c < weight.size(1); ++c)
      for (std::int64_t i = 0; i < k; ++i)
        for (std::int64_t j = 0; j < k; ++j) {
          const double factor = w.const_data_ptr<double>()[((o * weight.size(1) + c) * k + i) * k + j];
          for (std::int64_t y = 0; y < side; ++y)
            for (std::int64_t x = 0; x < side; ++x)
              plane[y * side + x] += factor * in.at(each ? o : c, y * stride + i - before, x * stride + j - before);
        }
    if (relu6) std::transform(plane, plane + side * side, plane, [](double v) { return std::clamp(v, 0.0, 6.0); });
  }
  return out;
}

/// Bilinear enlargement to 224 pixels, half-pixel centers, and (v - 127)/128.
Map enlarged(const Tensor& image) {
  const std::int64_t side = image.size(1), to = 224;
  Map out{3, to, std::vector<double>(static_cast<std::size_t>(3 * to * to))};
  for (std::int64_t c = 0; c < 3; ++c)
    for (std::int64_t y = 0; y < to; ++y)
      for (std::int64_t x = 0; x < to; ++x) {
        const auto place = [&](std::int64_t i) {
          return std::max((static_cast<double>(i) + 0.5) * static_cast<double>(side) / 224 - 0.5, 0.0);
        };
        const auto y0 = static_cast<std::int64_t>(place(y)), x0 = static_cast<std::int64_t>(place(x));
        const double fy = place(y) - static_cast<double>(y0), fx = place(x) - static_cast<double>(x0);
        const auto pixel = [&](std::int64_t v, std::int64_t u) {
          return static_cast<double>(
              image[image.size(0) == 1 ? 0 : c][std::min(v, side - 1)][std::min(u, side - 1)].item<std::int64_t>());
        };
        const double value = (1 - fy) * ((1 - fx) * pixel(y0, x0) + fx * pixel(y0, x0 + 1)) +
                             fy * ((1 - fx) * pixel(y0 + 1, x0) + fx * pixel(y0 + 1, x0 + 1));
        out.values[static_cast<std::size_t>((c * to + y) * to + x)] = (value - 127) / 128;
      }
  return out;
}

using Tensors = std::vector<std::pair<std::string, Tensor>>;

Tensors formula_network() {
  const FormulaWeights formula{.salt = 7, .gain = 2.0};
  Tensors tensors;
  const auto layer = [&](const std::string& name, std::int64_t out, std::int64_t in, std::int64_t kernel) {
    tensors.emplace_back(name + ".weight", formula.tensor(name + ".weight", {out, in, kernel, kernel}).to(at::kHalf));
    tensors.emplace_back(name + ".bias", (0.3 * formula.tensor(name + ".bias", {out, 1}).flatten()).to(at::kFloat));
  };
  layer("stem", 32, 3, 3);
  for (std::size_t i = 0; i < kBlocks.size(); ++i) {
    const auto& [kernel, stride, in, out] = kBlocks[i];
    const std::string name = "blocks." + std::to_string(i) + ".";
    const std::int64_t wide = i == 0 ? in : 6 * in;
    if (i > 0) layer(name + "expand", wide, in, 1);
    layer(name + "depthwise", wide, 1, kernel);
    layer(name + "project", out, wide, 1);
  }
  layer("head", 1280, 320, 1);
  return tensors;
}

Tensor naive_features(const Tensors& tensors, const Tensor& image) {
  auto next = tensors.begin();
  const auto conv = [&](const Map& in, std::int64_t stride, bool each, bool relu6) {
    const Tensor &weight = (next++)->second, &bias = (next++)->second;
    return convolved(in, weight, bias, stride, each, relu6);
  };
  Map x = conv(enlarged(image), 2, false, true);
  for (std::size_t i = 0; i < kBlocks.size(); ++i) {
    const Map input = x;
    if (i > 0) x = conv(x, 1, false, true);
    x = conv(x, kBlocks[i].stride, true, true);
    x = conv(x, 1, false, false);
    if (kBlocks[i].stride == 1 && kBlocks[i].in == kBlocks[i].out)
      std::transform(x.values.begin(), x.values.end(), input.values.begin(), x.values.begin(), std::plus<>());
  }
  x = conv(x, 1, false, true);
  return at::tensor(x.values, at::kDouble).view({1280, -1}).mean(1);
}

std::unique_ptr<FeatureExtractor> extractor_from(const std::filesystem::path& file) {
  const MemoryDataset data("none", at::zeros({2, 3, 8, 8}, at::kByte), at::zeros({2}, at::kLong), 0);
  Options options = Options::read_text("{type: efficientnet-lite0, file: '" + file.string() + "'}", "test");
  return make_features(options, {.labeled = data});
}

struct File {
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("edmund_lite0_" + std::to_string(::getpid()) + ".safetensors");
  explicit File(const Tensors& tensors) { write_file(path, tensor_bytes(tensors)); }
  ~File() { std::filesystem::remove(path); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
};

}  // namespace

TEST_CASE("EfficientNet-Lite0 with weights from a formula equals the network written out in loops", "[evaluation]") {
  const Tensors tensors = formula_network();
  const File file(tensors);
  const Tensor images = ((at::arange(2 * 3 * 20 * 20) * 37 % 251)).view({2, 3, 20, 20}).to(at::kByte);
  const auto extractor = extractor_from(file.path);
  const Tensor found = extractor->extract(images), expected = naive_features(tensors, images[1]);
  CHECK(found.sizes() == at::IntArrayRef({2, 1280}));
  CHECK(expected.std().item<double>() > 0.05);  // features that say something
  // float32 rounding through 49 layers
  CHECK((found[1] - expected).abs().max().item<double>() <= 2e-5 * expected.abs().max().item<double>());
  const Tensor grey = images.narrow(1, 0, 1);
  CHECK(at::equal(extractor->extract(grey), extractor->extract(grey.repeat({1, 3, 1, 1}))));
}

TEST_CASE("EfficientNet-Lite0 refuses files of another network", "[evaluation]") {
  Tensors tensors = formula_network();
  tensors[6].second = at::zeros({96, 16, 3, 3});
  CHECK_THROWS_AS(extractor_from(File(tensors).path), Error);
  tensors.erase(tensors.begin() + 6);
  CHECK_THROWS_AS(extractor_from(File(tensors).path), Error);
}

TEST_CASE("EfficientNet-Lite0 gives the reference's features", "[evaluation]") {
  // EDMUND_DATA_DIR: a folder with
  // efficientnet-lite0/{efficientnet_lite0_features_fp16,reference_features}.safetensors. Not part
  // of edmund.
  const char* folder = std::getenv("EDMUND_DATA_DIR");
  if (folder == nullptr) {
    WARN("EDMUND_DATA_DIR is not set: nothing was compared with the real weights");
    return;
  }
  const std::filesystem::path files = std::filesystem::path(folder) / "efficientnet-lite0";
  const TensorFile reference = read_tensors(files / "reference_features.safetensors");
  const Tensor images = reference.at("images_u8_nhwc").permute({0, 3, 1, 2}).contiguous(),
               expected = reference.at("features");
  const Tensor found = extractor_from(files / "efficientnet_lite0_features_fp16.safetensors")->extract(images);
  const double error = (found - expected).abs().max().item<double>();
  INFO("largest difference " << error << ", largest feature " << expected.abs().max().item<double>());
  CHECK(error <= 2e-5 * expected.abs().max().item<double>());
}
