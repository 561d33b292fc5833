#pragma once

#include "edmund/core/options.h"
#include "edmund/core/tensor.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace edmund {

/// Transformations of the augmentation pipe, in the order in which an image meets them and its
/// labels stand. Numbers of draws: never reorder.
enum class Transformation : std::uint32_t {
  kXFlip,
  kYFlip,
  kRotateInt,
  kTranslateInt,
  kScale,
  kRotateFrac,
  kAniso,
  kTranslateFrac,
  kBrightness,
  kContrast,
  kLumaFlip,
  kHue,
  kSaturation
};
inline constexpr std::size_t kTransformations = 13;

/// What a transformation is called, how many labels it has and what its strength is drawn from.
struct TransformationEntry {
  enum class Strength { kBit, kTurns, kUniform, kNormal };  // 0 or 1; 0 to 3; [0, 1); N(0, 1)
  std::string_view name, about;
  Strength strength;
  std::int64_t labels;
};
std::span<const TransformationEntry, kTransformations> transformation_table();

/// Part of `training: {augment: …}`: see src/data/augment.cpp for all options.
struct AugmentSettings {
  double probability = 1.0;
  std::array<double, kTransformations> multipliers = {};  // of the probability, by Transformation
  double translate_int_max = 0.125, scale_std = 0.2, rotate_frac_max = 1.0, aniso_std = 0.2, aniso_rotate_prob = 0.5,
         translate_frac_std = 0.125;
  double brightness_std = 0.2, contrast_std = 0.5, hue_max = 1.0, saturation_std = 1.0;
  bool labels = true;  // whether the network is told

  double multiplier(Transformation which) const { return multipliers[static_cast<std::size_t>(which)]; }
  /// Whether there is anything to do.
  bool any() const;
  /// How many numbers the network is told of each image.
  std::int64_t label_width() const;
};
AugmentSettings augment_settings(Options& options);
/// Records the transformations that images of this shape do not take.
void check_augment(Options& options, const AugmentSettings& settings, std::int64_t channels, std::int64_t height,
                   std::int64_t width);

/// What is drawn for one transformation of one image: its strength (two numbers at most) and what
/// decides in [0, 1) whether it is done, and for `aniso` whether its frame is turned.
struct AugmentDraw {
  double first = 0.0, second = 0.0, gate = 0.0, second_gate = 0.0;
};
using AugmentDraws = std::array<AugmentDraw, kTransformations>;
/// Draws of the image at a position in the sequence of training images: a function of both alone.
AugmentDraws augment_draws(std::uint64_t seed, std::int64_t position);

/// What is done to one image, and what the network is told of it.
struct AugmentPlan {
  bool flip_x = false, flip_y = false;
  int quarter_turns = 0;
  std::int64_t shift_x = 0, shift_y = 0;  // pixels, to the right and up
  bool warps = false;
  /// From pixels of the result to those of the image, both from the middle: rows of [2, 3].
  std::array<std::array<double, 3>, 2> inverse = {{{1, 0, 0}, {0, 1, 0}}};
  std::array<std::int64_t, 4> margin = {};  // pixels mirrored at left, top, right and bottom
  bool colors = false;
  std::array<std::array<double, 4>, 3> color = {{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}};
  std::vector<float> labels = {};
};
AugmentPlan augment_plan(const AugmentSettings& settings, const AugmentDraws& draws, std::int64_t height,
                         std::int64_t width);

/// float32 [C, H, W] in [-1, 1] → the same shape; colors may leave the range.
Tensor augmented(const Tensor& image, const AugmentPlan& plan);

}  // namespace edmund
