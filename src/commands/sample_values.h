#pragma once

#include "edmund/generation/image_generator.h"
#include "sample.h"

#include <cstdint>
#include <filesystem>
#include <string>

namespace edmund::sampling_modes {

/// --raw-out: the values of the pictures before they are rounded to levels, float32 [N, C, H, W] in
/// [-1, 1] or a little beyond. Each batch is kept in a file of its own until all are drawn; then
/// the file is written, batch by batch.
class RawValues {
 public:
  /// `file`: .safetensors or .npz, or empty: nothing is kept. Throws Error for other names.
  RawValues(const std::string& file, const std::filesystem::path& pictures, const std::string& fingerprint);

  bool wanted() const { return !file_.empty(); }
  bool has(std::int64_t first, std::int64_t count) const;
  void write(std::int64_t first, const Tensor& values) const;
  /// Writes the file of all batches, `size` images each, and takes the parts away.
  void finish(std::int64_t count, std::int64_t size, const ImageShape& shape) const;

 private:
  std::filesystem::path part(std::int64_t first, std::int64_t count) const;
  std::filesystem::path file_, parts_;
};

/// --npz: all pictures of a drawing as one file, as ADM's evaluator reads it: arr_0 uint8 [N, H, W,
/// C] and, where there are classes, arr_1 int64 [N]. Read from their PNG files one by one.
void write_npz(const std::string& file, const std::filesystem::path& folder, const std::vector<std::int64_t>& numbers,
               const Tensor& labels);

/// --noise: starting noise ε of the pictures, double [N, C, H, W], row by row: the tensor `latents`
/// (as --invert writes it) or `noise` of a .safetensors file, or its only one. Throws Error for
/// another shape than the model's, or values that are not finite.
Tensor read_noise(const std::string& file, const ModelShape& shape);

/// --gif: the way of these pictures from noise, what the network takes for the clean image D(z; σ)
/// at some points of it, then the pictures themselves. Bytes of an animated GIF.
std::string trajectory_gif(ImageGenerator& generator, const std::vector<std::int64_t>& numbers, const Tensor& labels,
                           const NoiseOf& noise);

}  // namespace edmund::sampling_modes
