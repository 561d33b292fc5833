// inception — pool features of Inception-v3, the network of 2015 that FID is defined by (Heusel et
// al. 2017).
//
//   file    (none)  safetensors with the names of pytorch-fid's checkpoint:
//                   scripts/convert_inception makes it from the published files
//   resize  tf1     how images come to 299 x 299, a part of the metric's name:
//                     tf1       TensorFlow 1's bilinear, then (x - 128)/128: the definition, as
//                               NVlabs/edm and torch-fidelity have it
//                     bilinear  half-pixel bilinear without blur, then x/127.5 - 1: pytorch-fid
//                     clean     Pillow's bicubic, then (x - 128)/128: clean-fid
//                               (Parmar et al. 2022)
//
// Grey images are repeated to three channels.

#include "edmund/core/error.h"
#include "edmund/core/files.h"
#include "edmund/evaluation/inception.h"
#include "edmund/evaluation/resize.h"
#include "edmund/ops/device.h"
#include "feature_factories.h"

#include <algorithm>
#include <array>
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <string>
#include <utility>
#include <vector>

namespace edmund {
namespace {

constexpr std::int64_t kSide = 299;
constexpr std::int64_t kBlock = 16;  // images at once: their activations still fit into the caches

struct Convention {
  std::string_view key;
  Resize resize;
  float center, scale;  // (x - center)/scale
  std::string_view name, frechet, kernel, score;
};
constexpr std::array<Convention, 3> kConventions = {
    {{"tf1", Resize::kTf1Bilinear, 128, 128, "inception", "FID", "KID", "Inception score"},
     {"bilinear", Resize::kBilinear, 127.5, 127.5, "inception, bilinear resize", "FID (bilinear resize)",
      "KID (bilinear resize)", "Inception score (bilinear resize)"},
     {"clean", Resize::kPilBicubic, 128, 128, "inception, clean resize", "clean-FID", "clean-KID",
      "Inception score (clean resize)"}}};

class InceptionFeatures final : public FeatureExtractor {
 public:
  InceptionFeatures(const TensorFile& file, const Convention& convention)
      : network_(file), convention_(convention), provenance_(std::filesystem::path(file.file).filename().string()) {
    std::string sums;
    for (const auto& [name, tensor] : file.tensors)
      // no part of what is computed
      if (!name.ends_with(".num_batches_tracked") && name != "fc.bias")
        sums += name + tensor_checksum(tensor.to(at::kFloat));
    checksum_ = checksum(sums);
    provenance_ = format("Inception-v3 of 2015, {}, weights {}, resized by {}", provenance_, checksum_, convention.key);
  }
  std::string name() const override { return std::string(convention_.name); }
  std::string provenance() const override { return provenance_; }
  std::string fingerprint() const override { return format("inception {} {}", convention_.key, checksum_); }
  std::optional<MetricNames> literature_names() const override {
    return MetricNames{.frechet = std::string(convention_.frechet),
                       .kernel = std::string(convention_.kernel),
                       .score = std::string(convention_.score)};
  }
  std::optional<Tensor> logits(const Tensor& features) const override { return network_.logits(features); }

  Tensor extract(const Tensor& images) const override {
    TORCH_CHECK(images.dim() == 4 && images.scalar_type() == at::kByte, "images must be uint8 [B, C, H, W]");
    require(images.size(1) == 1 || images.size(1) == 3, "inception: images have {} channels, expected 1 or 3",
            images.size(1));
    const at::NoGradGuard no_gradients;
    const ops::ExactFloat32 exact;
    std::vector<Tensor> blocks;
    for (std::int64_t begin = 0; begin < images.size(0); begin += kBlock) {
      Tensor x = resized_batch(images.narrow(0, begin, std::min(kBlock, images.size(0) - begin)), kSide, kSide,
                               convention_.resize);
      x = (x - convention_.center) / convention_.scale;
      blocks.push_back(network_.features(x.to(ops::device()).expand({-1, 3, -1, -1})).cpu());
    }
    return blocks.empty() ? at::empty({0, 2048}) : at::cat(blocks);
  }

 private:
  InceptionV3 network_;
  Convention convention_;
  std::string provenance_, checksum_;
};

}  // namespace

std::unique_ptr<FeatureExtractor> make_inception_features(Options& options, const FeatureContext& context) {
  const std::string path =
      options.required_path("file", "safetensors of the network (scripts/convert_inception)").string();
  std::vector<std::string_view> keys;
  for (const auto& convention : kConventions) keys.push_back(convention.key);
  const std::string resize =
      options.choice("resize", "tf1", keys, "how images come to 299×299, part of the metric's name");
  // the mistake is recorded; finish() tells it
  if (path.empty()) return make_identity_features(options, context);
  const auto* convention = std::ranges::find(kConventions, resize, &Convention::key);
  return std::make_unique<InceptionFeatures>(read_tensors(path), *convention);
}

}  // namespace edmund
