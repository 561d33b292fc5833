// augment — the augmentation pipe of Karras et al. 2022 (appendix F.2; after Karras et al. 2020),
// which does not leak into what is drawn: the network is told what was done to each image, and is
// told zeros when images are drawn.
//
//   probability         1      of each transformation, times its own number below
//   labels              true   whether the network is told; false: augmentation as it is usual
//
//   xflip               0      mirrored left to right, in half of the cases           1 label
//   yflip               0      mirrored top to bottom, in half of the cases           1
//   rotate_int          0      by 0 to 3 quarter turns; square images                 2
//   translate_int       0      by whole pixels, mirrored at the edges                 2
//     translate_int_max 0.125  at most this share of the image
//   scale               0      by 2^(w·scale_std), w ~ N(0, 1)                        1
//     scale_std         0.2
//   rotate_frac         0      by any angle                                           2
//     rotate_frac_max   1      of a full circle
//   aniso               0      by 2^(w·aniso_std) along an axis, 1/that across it     2
//     aniso_std         0.2
//     aniso_rotate_prob 0.5    share of images whose axis is any, not the horizontal
//   translate_frac      0      by w·translate_frac_std of the image                   2
//     translate_frac_std 0.125
//   brightness          0      plus w·brightness_std                                  1
//     brightness_std    0.2
//   contrast            0      times 2^(w·contrast_std)                               1
//     contrast_std      0.5
//   lumaflip            0      luma inverted, in half of the cases                    1
//   hue                 0      turned about the luma axis                             2
//     hue_max           1      of a full circle
//   saturation          0      colors beside the luma axis times 2^(w·saturation_std) 1
//     saturation_std    1
//
// A number above 1/probability does the transformation always: the published pipe for CIFAR-10 has
// probability 0.12, xflip 1e8, and 1 for yflip, scale, rotate_frac, aniso and translate_frac, 9
// labels in all. What moves pixels by fractions runs through one resampling with wavelet filters.
// The published code mirrors as far at the edges as the neediest image of a batch asks, here each
// image as far as it does itself, so that it is a function of its draws alone.
#include "edmund/data/augment.h"

#include "edmund/core/philox.h"
#include "warp.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <cmath>
#include <numbers>

namespace edmund {
namespace {

using Strength = TransformationEntry::Strength;

constexpr std::array<TransformationEntry, kTransformations> kTable = {{
    {"xflip", "mirrored left to right", Strength::kBit, 1},
    {"yflip", "mirrored top to bottom", Strength::kBit, 1},
    {"rotate_int", "by quarter turns", Strength::kTurns, 2},
    {"translate_int", "moved by whole pixels", Strength::kUniform, 2},
    {"scale", "scaled", Strength::kNormal, 1},
    {"rotate_frac", "rotated by any angle", Strength::kUniform, 2},
    {"aniso", "stretched along one axis", Strength::kNormal, 2},
    {"translate_frac", "moved by fractions of pixels", Strength::kNormal, 2},
    {"brightness", "brighter or darker", Strength::kNormal, 1},
    {"contrast", "more or less contrast", Strength::kNormal, 1},
    {"lumaflip", "luma inverted", Strength::kBit, 1},
    {"hue", "hues turned", Strength::kUniform, 2},
    {"saturation", "more or less color", Strength::kNormal, 1},
}};

using Affine = std::array<std::array<double, 3>, 2>;
using Color = std::array<std::array<double, 4>, 3>;

/// a∘b of maps [N, N + 1].
template <std::size_t N>
std::array<std::array<double, N + 1>, N> after(const std::array<std::array<double, N + 1>, N>& a,
                                               const std::array<std::array<double, N + 1>, N>& b) {
  std::array<std::array<double, N + 1>, N> out = {};
  for (std::size_t i = 0; i < N; ++i) {
    for (std::size_t j = 0; j <= N; ++j)
      for (std::size_t k = 0; k < N; ++k) out[i][j] += a[i][k] * b[k][j];
    out[i][N] += a[i][N];
  }
  return out;
}

Affine scaling(double x, double y) { return {{{x, 0, 0}, {0, y, 0}}}; }
Affine rotation(double angle) {
  return {{{std::cos(angle), -std::sin(angle), 0}, {std::sin(angle), std::cos(angle), 0}}};
}
Affine translation(double x, double y) { return {{{1, 0, x}, {0, 1, y}}}; }

/// along·P + across·(1 - P) + turn·[v]×, P = v·vᵀ onto the luma axis v = (1, 1, 1)/√3.
Color about_luma(double along, double across, double turn) {
  Color out = {};
  for (std::size_t i = 0; i < 3; ++i)
    for (std::size_t j = 0; j < 3; ++j) {
      const double cross = i == j ? 0.0 : (j + 1) % 3 == i ? 1.0 : -1.0;  // of v × e_j, component i
      out[i][j] = along / 3 + across * ((i == j ? 1.0 : 0.0) - 1.0 / 3) + turn * cross / std::numbers::sqrt3;
    }
  return out;
}

/// Walks over the transformations that are turned on: whether an image gets each, and its labels.
class Planner {
 public:
  Planner(const AugmentSettings& settings, const AugmentDraws& draws) : settings_(settings), draws_(draws) {}

  /// Calls `apply` with the draw, or with one of strength 0 if the transformation is not done;
  /// its answer are the labels.
  template <typename Apply>
  void with(Transformation which, const Apply& apply) {
    if (settings_.multiplier(which) <= 0.0) return;
    const AugmentDraw& draw = draws_[static_cast<std::size_t>(which)];
    const bool done = draw.gate < settings_.multiplier(which) * settings_.probability;
    for (const double label : apply(draw, done)) labels.push_back(static_cast<float>(label));
  }

  std::vector<float> labels;

 private:
  const AugmentSettings& settings_;
  const AugmentDraws& draws_;
};

using Labels = std::vector<double>;

void plan_pixels(AugmentPlan& plan, Planner& planner, const AugmentSettings& s, double H, double W) {
  planner.with(Transformation::kXFlip, [&](const AugmentDraw& draw, bool done) -> Labels {
    plan.flip_x = done && draw.first > 0.5;
    return {plan.flip_x ? 1.0 : 0.0};
  });
  planner.with(Transformation::kYFlip, [&](const AugmentDraw& draw, bool done) -> Labels {
    plan.flip_y = done && draw.first > 0.5;
    return {plan.flip_y ? 1.0 : 0.0};
  });
  planner.with(Transformation::kRotateInt, [&](const AugmentDraw& draw, bool done) -> Labels {
    const int w = plan.quarter_turns = done ? static_cast<int>(draw.first) : 0;
    return {w == 1 || w == 2 ? 1.0 : 0.0, w == 2 || w == 3 ? 1.0 : 0.0};
  });
  planner.with(Transformation::kTranslateInt, [&](const AugmentDraw& draw, bool done) -> Labels {
    const double x = W * s.translate_int_max, y = H * s.translate_int_max;
    plan.shift_x = done ? std::llrint((2 * draw.first - 1) * x) : 0;
    plan.shift_y = done ? std::llrint((2 * draw.second - 1) * y) : 0;
    return {static_cast<double>(plan.shift_x) / x, static_cast<double>(plan.shift_y) / y};
  });
}

void plan_geometry(AugmentPlan& plan, Planner& planner, const AugmentSettings& s, double H, double W) {
  const auto then = [&](const Affine& inverse) {
    plan.inverse = after(plan.inverse, inverse);
    plan.warps = true;
  };
  constexpr double pi = std::numbers::pi;
  planner.with(Transformation::kScale, [&](const AugmentDraw& draw, bool done) -> Labels {
    const double w = done ? draw.first : 0.0, size = std::exp2(-w * s.scale_std);
    if (done) then(scaling(size, size));
    return {w};
  });
  planner.with(Transformation::kRotateFrac, [&](const AugmentDraw& draw, bool done) -> Labels {
    const double w = done ? (2 * draw.first - 1) * pi * s.rotate_frac_max : 0.0;
    if (done) then(rotation(w));
    return {std::cos(w) - 1, std::sin(w)};
  });
  planner.with(Transformation::kAniso, [&](const AugmentDraw& draw, bool done) -> Labels {
    const double w = done ? draw.first : 0.0, size = std::exp2(w * s.aniso_std);
    const double r = draw.second_gate < s.aniso_rotate_prob ? (2 * draw.second - 1) * pi : 0.0;
    if (done) then(after(after(rotation(-r), scaling(1 / size, size)), rotation(r)));
    return {w * std::cos(r), w * std::sin(r)};
  });
  planner.with(Transformation::kTranslateFrac, [&](const AugmentDraw& draw, bool done) -> Labels {
    const double x = done ? draw.first : 0.0, y = done ? draw.second : 0.0;
    if (done) then(translation(-x * W * s.translate_frac_std, -y * H * s.translate_frac_std));
    return {x, y};
  });
}

void plan_colors(AugmentPlan& plan, Planner& planner, const AugmentSettings& s) {
  const auto then = [&](const Color& next) {
    plan.color = after(next, plan.color);
    plan.colors = true;
  };
  planner.with(Transformation::kBrightness, [&](const AugmentDraw& draw, bool done) -> Labels {
    const double w = done ? draw.first : 0.0, b = w * s.brightness_std;
    if (done) then({{{1, 0, 0, b}, {0, 1, 0, b}, {0, 0, 1, b}}});
    return {w};
  });
  planner.with(Transformation::kContrast, [&](const AugmentDraw& draw, bool done) -> Labels {
    const double w = done ? draw.first : 0.0, c = std::exp2(w * s.contrast_std);
    if (done) then(about_luma(c, c, 0));
    return {w};
  });
  planner.with(Transformation::kLumaFlip, [&](const AugmentDraw& draw, bool done) -> Labels {
    const bool flips = done && draw.first > 0.5;
    if (flips) then(about_luma(-1, 1, 0));
    return {flips ? 1.0 : 0.0};
  });
  planner.with(Transformation::kHue, [&](const AugmentDraw& draw, bool done) -> Labels {
    const double w = done ? (2 * draw.first - 1) * std::numbers::pi * s.hue_max : 0.0;
    if (done) then(about_luma(1, std::cos(w), std::sin(w)));
    return {std::cos(w) - 1, std::sin(w)};
  });
  planner.with(Transformation::kSaturation, [&](const AugmentDraw& draw, bool done) -> Labels {
    const double w = done ? draw.first : 0.0;
    if (done) then(about_luma(1, std::exp2(w * s.saturation_std), 0));
    return {w};
  });
}

/// Moved by `shift`, mirrored at the edges, along one dimension.
Tensor shifted(const Tensor& image, std::int64_t dim, std::int64_t shift) {
  const std::int64_t size = image.size(dim), period = std::max<std::int64_t>(2 * size - 2, 1);
  Tensor from = at::empty({size}, at::kLong);
  for (std::int64_t i = 0; i < size; ++i) {
    const std::int64_t at = ((i - shift) % period + period) % period;
    from.data_ptr<std::int64_t>()[i] = size - 1 - std::abs(size - 1 - at);
  }
  return image.index_select(dim, from);
}

Tensor colored(const Tensor& image, const Color& color) {
  if (image.size(0) == 1) {  // grey: what its three equal channels would be in the mean
    double scale = 0.0, shift = 0.0;
    for (const auto& row : color) {
      scale += (row[0] + row[1] + row[2]) / 3;
      shift += row[3] / 3;
    }
    return image * scale + shift;
  }
  TORCH_CHECK(image.size(0) == 3, "augmented: colors of ", image.size(0), " channels, expected 1 or 3");
  Tensor out = at::empty_like(image);
  for (std::int64_t i = 0; i < 3; ++i) {
    const auto& row = color[static_cast<std::size_t>(i)];
    out[i] = image[0] * row[0] + image[1] * row[1] + image[2] * row[2] + row[3];
  }
  return out;
}

}  // namespace

std::span<const TransformationEntry, kTransformations> transformation_table() { return kTable; }

bool AugmentSettings::any() const {
  return probability > 0.0 && std::ranges::any_of(multipliers, [](double multiplier) { return multiplier > 0.0; });
}

std::int64_t AugmentSettings::label_width() const {
  std::int64_t out = 0;
  for (std::size_t i = 0; i < kTransformations; ++i)
    if (labels && multipliers[i] > 0.0) out += kTable[i].labels;
  return out;
}

AugmentSettings augment_settings(Options& options) {
  AugmentSettings s;
  s.probability = options.real("probability", s.probability, between(0.0, 1.0),
                               "of each transformation, times its own number below");
  for (std::size_t i = 0; i < kTransformations; ++i)
    s.multipliers[i] = options.real(kTable[i].name, 0.0, at_least(0.0), kTable[i].about);
  s.translate_int_max =
      options.real("translate_int_max", s.translate_int_max, {.low = 0.0, .high = 1.0, .open_low = true},
                   "largest move by whole pixels, as a share of the image");
  s.scale_std = options.real("scale_std", s.scale_std, at_least(0.0), "spread of log2 of the scale");
  s.rotate_frac_max = options.real("rotate_frac_max", s.rotate_frac_max, between(0.0, 1.0), "of a full circle");
  s.aniso_std = options.real("aniso_std", s.aniso_std, at_least(0.0), "spread of log2 of the stretch");
  s.aniso_rotate_prob = options.real("aniso_rotate_prob", s.aniso_rotate_prob, between(0.0, 1.0),
                                     "share that is stretched along any axis");
  s.translate_frac_std = options.real("translate_frac_std", s.translate_frac_std, at_least(0.0),
                                      "spread of moves by fractions, as a share of the image");
  s.brightness_std = options.real("brightness_std", s.brightness_std, at_least(0.0), "spread of what is added");
  s.contrast_std = options.real("contrast_std", s.contrast_std, at_least(0.0), "spread of log2 of the factor");
  s.hue_max = options.real("hue_max", s.hue_max, between(0.0, 1.0), "of a full circle");
  s.saturation_std = options.real("saturation_std", s.saturation_std, at_least(0.0), "spread of log2 of the factor");
  s.labels = options.flag("labels", s.labels, "whether the network is told, so that nothing leaks into its images");
  return s;
}

void check_augment(Options& options, const AugmentSettings& s, std::int64_t channels, std::int64_t height,
                   std::int64_t width) {
  options.check(s.multiplier(Transformation::kRotateInt) == 0.0 || height == width, "rotate_int",
                "quarter turns need square images, these are {}×{}", height, width);
  for (std::size_t i = static_cast<std::size_t>(Transformation::kBrightness); i < kTransformations; ++i)
    options.check(s.multipliers[i] == 0.0 || channels == 1 || channels == 3, kTable[i].name,
                  "colors need 1 or 3 channels, these images have {}", channels);
}

AugmentDraws augment_draws(std::uint64_t seed, std::int64_t position) {
  AugmentDraws out;
  for (std::size_t i = 0; i < kTransformations; ++i) {
    const RandomKey key{.seed = seed,
                        .stream = Stream::kAugment,
                        .sample = static_cast<std::uint64_t>(position),
                        .draw = static_cast<std::uint32_t>(i)};
    const auto words = key.words(0);
    const double u = open_unit(words[0]), v = open_unit(words[1]);
    AugmentDraw& draw = out[i];
    draw = {.first = u, .second = v, .gate = open_unit(words[2]), .second_gate = open_unit(words[3])};
    switch (kTable[i].strength) {
      case Strength::kBit: draw.first = std::floor(2 * u); break;
      case Strength::kTurns: draw.first = std::floor(4 * u); break;
      case Strength::kUniform: break;
      case Strength::kNormal: {  // Box-Muller
        const double radius = std::sqrt(-2 * std::log(u)), angle = 2 * std::numbers::pi * v;
        draw.first = radius * std::cos(angle);
        draw.second = radius * std::sin(angle);
      }
    }
  }
  // the axis of aniso is uniform, and no part of the pair
  auto& aniso = out[static_cast<std::size_t>(Transformation::kAniso)];
  aniso.second = open_unit(RandomKey{.seed = seed,
                                     .stream = Stream::kAugment,
                                     .sample = static_cast<std::uint64_t>(position),
                                     .draw = static_cast<std::uint32_t>(Transformation::kAniso)}
                               .words(1)[0]);
  return out;
}

AugmentPlan augment_plan(const AugmentSettings& settings, const AugmentDraws& draws, std::int64_t height,
                         std::int64_t width) {
  AugmentPlan plan;
  Planner planner(settings, draws);
  const auto H = static_cast<double>(height), W = static_cast<double>(width);
  plan_pixels(plan, planner, settings, H, W);
  plan_geometry(plan, planner, settings, H, W);
  plan_colors(plan, planner, settings);
  plan.margin = warp_margin(plan.inverse, height, width);
  plan.labels = std::move(planner.labels);
  return plan;
}

Tensor augmented(const Tensor& image, const AugmentPlan& plan) {
  Tensor x = image;
  if (plan.flip_x) x = x.flip(2);
  if (plan.flip_y) x = x.flip(1);
  const int turns = plan.quarter_turns;
  if (turns == 1 || turns == 2) x = x.flip(2);
  if (turns == 2 || turns == 3) x = x.flip(1);
  if (turns == 1 || turns == 3) x = x.transpose(1, 2);
  if (plan.shift_x != 0) x = shifted(x, 2, plan.shift_x);
  if (plan.shift_y != 0) x = shifted(x, 1, -plan.shift_y);
  if (plan.warps) x = warped(x, plan.inverse, plan.margin);
  return plan.colors ? colored(x, plan.color) : x;
}

}  // namespace edmund
