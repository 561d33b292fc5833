// identity, pca — features that are linear in the pixels.
//
//   identity  x/127.5 - 1, flattened; at most 4,096 values an image
//   pca       the pixels' mean taken off, along the leading eigenvectors of their covariance (not
//             whitened), in float64
//     dims    64      components; at most the number of pixels and of images fitted, less one
//     images  10000   real images that the components are fitted on, chosen by seed

#include "edmund/core/error.h"
#include "edmund/io/image_io.h"
#include "edmund/ops/pixels.h"
#include "feature_factories.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <utility>

namespace edmund {

void require_shape(const Tensor& images, const DatasetInfo& info, std::string_view extractor) {
  TORCH_CHECK(images.dim() == 4 && images.scalar_type() == at::kByte, "images must be uint8 [B, C, H, W]");
  require(images.size(1) == info.channels && images.size(2) == info.height && images.size(3) == info.width,
          "{} features: made for images of {} x {} x {} (channels, height, width), found {} x {} x {}", extractor,
          info.channels, info.height, info.width, images.size(1), images.size(2), images.size(3));
}

namespace {

// a covariance of them takes 128 MB and its eigenvalues half a minute
constexpr std::int64_t kMostPixels = 4096;

class IdentityFeatures final : public FeatureExtractor {
 public:
  explicit IdentityFeatures(DatasetInfo info) : info_(std::move(info)) {}
  std::string name() const override { return "pixels"; }
  Tensor extract(const Tensor& images) const override {
    require_shape(images, info_, "identity");
    return to_float(images).flatten(1);
  }
  std::string provenance() const override { return "pixel values in [-1, 1]"; }
  std::string fingerprint() const override { return "pixels"; }

 private:
  DatasetInfo info_;
};

class PcaFeatures final : public FeatureExtractor {
 public:
  PcaFeatures(DatasetInfo info, const Tensor& images, std::int64_t dims)
      : info_(std::move(info)), fitted_(images.size(0)) {
    const Tensor x = to_float(images).flatten(1).to(at::kDouble);  // [N, P]
    mean_ = x.mean(0);
    const Tensor centered = x - mean_;
    // The smaller one of the two matrices with the same leading eigenvalues: pixels by pixels, or
    // images by images.
    const bool by_pixels = x.size(1) <= x.size(0);
    const auto [values, vectors] = at::linalg_eigh(by_pixels ? centered.t().mm(centered) : centered.mm(centered.t()));
    const Tensor leading = vectors.narrow(1, vectors.size(1) - dims, dims).flip({1});
    components_ = by_pixels ? leading : centered.t().mm(leading);
    components_ = components_ / components_.norm(2, 0, true).clamp_min(1e-300);  // [P, dims]
    explained_ = values.narrow(0, values.numel() - dims, dims).sum().item<double>() /
                 values.sum().clamp_min(1e-300).item<double>();
  }
  std::string name() const override { return "pca"; }
  Tensor extract(const Tensor& images) const override {
    require_shape(images, info_, "pca");
    constexpr std::int64_t kBlock = 1024;
    std::vector<Tensor> blocks;
    for (std::int64_t begin = 0; begin < images.size(0); begin += kBlock) {
      const Tensor block = images.narrow(0, begin, std::min(kBlock, images.size(0) - begin));
      blocks.push_back((to_float(block).flatten(1).to(at::kDouble) - mean_).mm(components_));
    }
    return blocks.empty() ? at::empty({0, components_.size(1)}, at::kDouble) : at::cat(blocks);
  }
  std::string provenance() const override {
    return format("{} principal components of {} images of {}, {} % of the variance", components_.size(1), fitted_,
                  info_.name, static_cast<std::int64_t>(100 * explained_ + 0.5));
  }
  std::string fingerprint() const override {
    return format("pca {} {}", tensor_checksum(mean_), tensor_checksum(components_));
  }

 private:
  DatasetInfo info_;
  std::int64_t fitted_;
  Tensor mean_, components_;
  double explained_ = 0.0;
};

}  // namespace

std::unique_ptr<FeatureExtractor> make_identity_features(Options& options, const FeatureContext& context) {
  const DatasetInfo info = context.labeled.info();
  const std::int64_t pixels = info.channels * info.height * info.width;
  options.check(pixels <= kMostPixels, "type", "identity takes images of at most {} values, {} has {}; choose pca",
                kMostPixels, info.name, pixels);
  return std::make_unique<IdentityFeatures>(info);
}

std::unique_ptr<FeatureExtractor> make_pca_features(Options& options, const FeatureContext& context) {
  const DatasetInfo info = context.labeled.info();
  const std::int64_t pixels = info.channels * info.height * info.width;
  const std::int64_t dims = options.integer("dims", 64, between(1, kMostPixels), "principal components");
  const std::int64_t wanted = options.integer("images", 10000, between(2, 20000),
                                              "real images that the components are fitted on, chosen by seed");
  std::int64_t fitted = std::min(wanted, info.size);
  if (pixels > kMostPixels) fitted = std::min(fitted, kMostPixels);
  const Batch real = read_all(context.labeled, fitted, context.seed);
  return std::make_unique<PcaFeatures>(info, real.images, std::min({dims, pixels, fitted - 1}));
}

}  // namespace edmund
