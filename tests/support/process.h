#pragma once

#include "support/temporary_folder.h"

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/wait.h>

namespace edmund::testing {

/// What a finished process said.
struct Outcome {
  int code = -1;
  std::string output;  // standard output and standard error together
};

/// Runs the edmund binary in `folder` with these arguments (shell words).
inline Outcome edmund_run(const std::filesystem::path& folder, const std::string& arguments,
                          const std::string& binary = EDMUND_BINARY) {
  const std::string command = "cd '" + folder.string() + "' || exit; " + binary + " " + arguments + " 2>&1 </dev/null";
  Outcome outcome;
  std::FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return outcome;
  std::array<char, 4096> buffer;
  for (std::size_t n = 0; (n = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;)
    outcome.output.append(buffer.data(), n);
  const int status = pclose(pipe);
  outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return outcome;
}

inline void write_text(const std::filesystem::path& file, const std::string& text) {
  std::ofstream(file, std::ios::binary) << text;
}

/// A data set that needs no download: 200 images 8x8 of two classes in two IDX files, images.idx
/// and labels.idx.
inline void write_idx_data(const std::filesystem::path& folder) {
  std::string images("\0\0\x08\x03\0\0\0\xc8\0\0\0\x08\0\0\0\x08", 16), labels("\0\0\x08\x01\0\0\0\xc8", 8);
  for (int i = 0; i < 200; ++i) {
    for (int pixel = 0; pixel < 64; ++pixel)
      images += static_cast<char>((pixel / 8 < 4) == (i % 2 == 0) ? 220 - i % 20 : 20 + i % 20);
    labels += static_cast<char>(i % 2);
  }
  write_text(folder / "images.idx", images);
  write_text(folder / "labels.idx", labels);
}

/// A whole config on that data, small enough to train in a moment.
inline std::string small_config() {
  return R"(name: small
data: {type: idx, images: images.idx, labels: labels.idx}
network: {type: unet, channels: 8, multipliers: [1, 2], blocks: 1, attention: [4], dropout: 0.1}
preconditioning: {type: edm, sigma_data: 0.7}
training: {images: 96, batch_size: 16, learning_rate: 1e-3, checkpoint_every: 32, samples_every: 48}
sampling:
  grid: {type: karras, steps: 4}
  sampler: {type: heun}
evaluation: {images: 16, features: {type: pca, dims: 4}}
)";
}

}  // namespace edmund::testing
