#pragma once

#include "edmund/core/tensor.h"
#include "edmund/diffusion/denoiser.h"
#include "edmund/diffusion/model.h"
#include "edmund/diffusion/noise_source.h"
#include "edmund/generation/sampling.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>

namespace edmund {

/// Classes of the images with these numbers unless others are asked for, int64 [N]; undefined if
/// unconditional. Each is a function of its number alone: for every N the first N images are
/// apportioned to the classes by Sainte-Laguë's method, by their training images, or evenly to
/// those that have some; after as many images as there are in the data the turn begins anew.
/// Classes of equal size follow one another. Where the run knows no counts, all count alike.
Tensor class_labels(const ModelShape& shape, ClassRule rule, std::span<const std::int64_t> images);

/// Images drawn from a model.
struct Generated {
  Tensor images = {};  // uint8 [N, C, H, W], on the CPU; of latents, see picture_of
  Tensor labels = {};  // int64 [N]: the class asked for; undefined if unconditional
  // double [N, C, H, W]: the images before they were rounded, if asked for
  Tensor values = {};
  // network evaluations an image (NFE), a guided step counting both of its evaluations;
  std::int64_t evaluations = 0;
  // of the batch that took most, where the sampler chooses its steps
  // of noise for an image; more than one where the sampler is stochastic
  std::int64_t draws = 0;
  double seconds = 0.0;
};

/// How draw() goes about it.
struct DrawSettings {
  bool values = false;          // return them too
  std::int64_t batch_size = 0;  // 0: the sampling's
  // called with the count of finished images
  std::function<void(std::int64_t done)> progress = nullptr;
  // wraps D as the sampler gets it: to keep a trace, to time it
  std::function<Denoiser(Denoiser)> around = nullptr;
  // takes each batch as soon as it is drawn, from its first image on: draw() then returns no images
  // or values, and its memory does not grow with their number
  std::function<void(std::int64_t first, const Generated& batch)> finished = nullptr;
  // whether a batch is there already: it is not drawn. The others are those of an uninterrupted
  // call
  std::function<bool(std::int64_t first, std::int64_t count)> skip = nullptr;
  bool whole = false;  // draw on when the process is asked to stop, for a few images
};

/// The noise source of the images first … first + count - 1 of a call.
using NoiseOf = std::function<std::unique_ptr<NoiseSource>(std::int64_t first, std::int64_t count)>;

/// Model + sampling → images, batch by batch: the one place where labels, guidance, noise, initial
/// state, sampler and recorded work come together. Each image is a function of (seed, its number,
/// its class), whatever the batch, so that a caller who wants to stop or to write between batches
/// draws them piece by piece.
class ImageGenerator {
 public:
  /// Shares the model's network, whose weights must stay where they are.
  ImageGenerator(DenoisingModel model, Sampling sampling, ModelShape shape);
  ~ImageGenerator();
  ImageGenerator(const ImageGenerator&) = delete;
  ImageGenerator& operator=(const ImageGenerator&) = delete;

  /// Draws the images with these numbers. labels int64 [N], or undefined: unconditional. Where
  /// ops::records() and the sampler allows it, the whole sampling loop is recorded at the second
  /// batch of a size and replayed from then on, between calls too. Throws Error without images, or
  /// if the guide draws other images than the model; Interrupted before a batch if the process was
  /// asked to stop (StopRequest). Where memory runs out, the batch is drawn again in parts of half
  /// as many images: the same images, but for rounding.
  Generated draw(std::span<const std::int64_t> numbers, const Tensor& labels, std::uint64_t seed,
                 const DrawSettings& settings = {});
  /// The same with draws from elsewhere, not recorded.
  Generated draw(std::int64_t count, const Tensor& labels, const NoiseOf& noise,
                 const DrawSettings& settings = {}) const;

  /// D as the sampler gets it: classes bound, guided, thresholded or clipped. `count` grows by the
  /// network evaluations an image: one, or two where it is guided (D_c and D_u of one batch, or
  /// both networks of autoguidance).
  Denoiser denoiser(const Tensor& classes, const std::shared_ptr<std::int64_t>& count) const;
  /// ε that these images start from, double [N, C, H, W], where the network lies.
  Tensor noise(std::span<const std::int64_t> numbers, std::uint64_t seed) const;

  const DenoisingModel& model() const { return model_; }
  const Sampling& sampling() const { return sampling_; }
  const ModelShape& shape() const { return shape_; }

 private:
  struct Recording;
  /// A batch as the sampler returns it.
  struct Batch {
    Tensor values;  // double [B, C, H, W]
    std::int64_t evaluations = 0, draws = 0;
  };
  using DrawBatch = std::function<Batch(std::int64_t first, const Tensor& labels, std::int64_t count)>;
  // `count` images from `first` on, `part` at once.
  static Batch in_parts(const DrawBatch& draw, std::int64_t first, const Tensor& labels, std::int64_t count,
                        std::int64_t part);
  Generated in_batches(std::int64_t count, const Tensor& labels, const DrawSettings& settings,
                       const DrawBatch& draw) const;
  Batch drawn(NoiseSource& noise, const Tensor& labels, const DrawSettings& settings) const;
  Batch recorded(std::span<const std::int64_t> numbers, const Tensor& labels, std::uint64_t seed);

  DenoisingModel model_;
  Sampling sampling_;
  ModelShape shape_;
  std::map<std::int64_t, std::unique_ptr<Recording>> recordings_;  // by the size of the batch
};

}  // namespace edmund
