// identity, pca — features that are linear in the pixels.
//
//   identity  x/127.5 - 1, flattened; at most 4,096 values an image
//   pca       the pixels' mean taken off, along the leading eigenvectors of their covariance (not
//             whitened), in float64
//     dims    64      components, of those above rounding: at most the number of pixels and of
//                     images fitted, less one
//     images  10000   real images that the components are fitted on, chosen by seed

#include "edmund/core/error.h"
#include "edmund/io/image_io.h"
#include "edmund/ops/pixels.h"
#include "feature_factories.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <limits>
#include <utility>
#include <vector>

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
  bool worth_keeping() const override { return false; }

 private:
  DatasetInfo info_;
};

class PcaFeatures final : public FeatureExtractor {
 public:
  PcaFeatures(DatasetInfo info, const Tensor& images, std::int64_t dims)
      : info_(std::move(info)), fitted_(images.size(0)) {
    const Tensor x = to_float(images).flatten(1);  // [N, P]
    mean_ = x.mean(0, false, at::kDouble);
    // The smaller one of the two matrices with the same leading eigenvalues: pixels by pixels, or
    // images by images.
    const bool by_pixels = x.size(1) <= x.size(0);
    const auto [values, vectors] = at::linalg_eigh(by_pixels ? scatter(x) : products(x));
    const std::int64_t kept = std::min(dims, above_rounding(values));
    require(kept > 0, "pca features: the {} images of {} do not differ, so there are no components; choose identity",
            fitted_, info_.name);
    const Tensor leading = vectors.narrow(1, vectors.size(1) - kept, kept).flip({1});
    components_ = by_pixels ? leading : (x.to(at::kDouble) - mean_).t().mm(leading);
    components_ = components_ / components_.norm(2, 0, true);  // [P, kept]
    explained_ = values.narrow(0, values.numel() - kept, kept).sum().item<double>() / values.sum().item<double>();
  }
  std::string name() const override { return "pca"; }
  Tensor extract(const Tensor& images) const override {
    require_shape(images, info_, "pca");
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
  static constexpr std::int64_t kBlock = 1024;

  /// Σ (x - mean)(x - mean)ᵀ, [P, P].
  Tensor scatter(const Tensor& x) const {
    Tensor out = at::zeros({x.size(1), x.size(1)}, at::kDouble);
    for (std::int64_t begin = 0; begin < x.size(0); begin += kBlock) {
      const Tensor centered = x.narrow(0, begin, std::min(kBlock, x.size(0) - begin)).to(at::kDouble) - mean_;
      out.addmm_(centered.t(), centered);
    }
    return out;
  }
  /// Products of the centered images, [N, N].
  Tensor products(const Tensor& x) const {
    const Tensor centered = x.to(at::kDouble) - mean_;
    return centered.mm(centered.t());
  }
  /// Eigenvalues (ascending) that are more than what rounding leaves: one pixel of one image that
  /// is off by one level of 255 has at least 3e-5.
  static std::int64_t above_rounding(const Tensor& values) {
    const double largest = values.max().item<double>();
    const double noise = std::numeric_limits<double>::epsilon() * static_cast<double>(values.numel()) * largest;
    return (values > std::max(noise, 1e-9)).sum().item<std::int64_t>();
  }

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
