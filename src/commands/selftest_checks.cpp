#include "edmund/commands/command.h"
#include "edmund/core/file_system.h"
#include "edmund/core/files.h"
#include "edmund/core/folder_lock.h"
#include "edmund/core/log.h"
#include "edmund/core/philox.h"
#include "edmund/io/image_io.h"
#include "edmund/io/sealed_tensors.h"
#include "edmund/training/checkpoint.h"
#include "selftest.h"

#include <algorithm>
#include <array>
#include <ATen/ATen.h>
#include <iostream>
#include <sstream>

namespace edmund {
namespace {

namespace fs = std::filesystem;

/// What a command prints is no part of a test of it.
class Quiet {
 public:
  Quiet() : former_(std::cout.rdbuf(text_.rdbuf())) {}
  ~Quiet() {
    std::cout.rdbuf(former_);
    log::set_level(log::Level::kInfo);
  }
  Quiet(const Quiet&) = delete;
  Quiet& operator=(const Quiet&) = delete;

 private:
  std::ostringstream text_;
  std::streambuf* former_;
};

void run(std::vector<std::string> arguments) {
  const Quiet quiet;
  arguments.emplace_back("--quiet");
  const std::string command = arguments.front();
  const ExitCode code = run_command(std::move(arguments));
  require(code == ExitCode::kDone, "{} ended with exit code {}", command, static_cast<int>(code));
}

// 64 images of two kinds, and a network for them.
std::string config_in(const fs::path& folder) {
  const fs::path file = folder / "config.yaml", images = folder / "images.idx";
  if (fs::exists(file)) return file.string();
  std::string bytes("\0\0\x08\x03\0\0\0\x40\0\0\0\x08\0\0\0\x08", 16);
  for (int i = 0; i < 64; ++i)
    for (int pixel = 0; pixel < 64; ++pixel)
      bytes += static_cast<char>((pixel / 8 < 4) == (i % 2 == 0) ? 220 - i : 20 + i);
  write_file(images, bytes);
  write_file(file, format(R"(name: selftest
data: {type: idx, images: '{}'}
network: {type: unet, channels: 8, multipliers: [1, 2], blocks: 1, attention: [4], dropout: 0.1}
preconditioning: {type: edm, sigma_data: 0.56}
training: {images: 192, batch_size: 16, checkpoint_every: 64, samples_every: 0, ema_tracks: [0.1]}
sampling: {sampler: heun, grid: {type: karras, steps: 4}}
evaluation: {images: 16, features: {type: pca, dims: 4}}
)",
                          images.string()));
  return file.string();
}

// The run that nothing disturbed.
fs::path whole_run(const fs::path& folder) {
  const fs::path out = folder / "whole";
  if (!fs::exists(out)) run({"train", config_in(folder), "--run", out.string()});
  return out;
}

std::string random_numbers(const fs::path&) {
  // Known answers of the authors' Random123 (kat_vectors, philox4x32-10).
  const bool zeros =
      philox({0, 0, 0, 0}, {0, 0}) == std::array<std::uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
  const std::uint32_t ones = 0xffffffff;
  const bool all = philox({ones, ones, ones, ones}, {ones, ones}) ==
                   std::array<std::uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd};
  return zeros && all ? "" : "Philox gives other numbers than its authors' code";
}

std::string resuming(const fs::path& folder) {
  const fs::path whole = whole_run(folder), parts = folder / "parts";
  for (const char* images : {"64", "128", "192"})
    run({"train", config_in(folder), "--run", parts.string(), format("training.images={}", images),
         "training.checkpoint_every=64", "training.log_every=16"});
  for (const char* file : {"network.safetensors", "ema.safetensors", "optimizer.safetensors"}) {
    const auto in = [&](const fs::path& at) { return read_file(checkpoint_folder(at, 192) / file); };
    if (in(whole) != in(parts)) return format("{} of a training in three parts is another one", file);
  }
  return "";
}

std::string damage(const fs::path& folder) {
  const fs::path run = folder / "damaged", source = whole_run(folder);
  fs::copy(source, run, fs::copy_options::recursive);
  const fs::path newest = checkpoint_folder(run, 192), older = checkpoint_folder(run, 128);
  for (const char* name : {"network.safetensors", "ema.safetensors", "optimizer.safetensors", "state.json"}) {
    const fs::path file = newest / name;
    const std::string bytes = read_file(file);
    for (const std::size_t at : {std::size_t{3}, bytes.size() / 2, bytes.size() - 3}) {
      std::string changed = bytes;
      changed[at] = static_cast<char>(changed[at] ^ 1);
      write_file(file, changed);
      const Quiet quiet;
      log::set_level(log::Level::kOff);
      const auto found = newest_checkpoint(run);
      if (found != older) return format("a changed bit at byte {} of {} is not found", at, name);
    }
    write_file(file, bytes);
  }
  return newest_checkpoint(run) == newest ? "" : "a whole checkpoint is taken for damaged";
}

// Pictures 0 to 5 of the run, drawn with these settings.
std::vector<Tensor> pictures(const fs::path& folder, const char* name, std::vector<std::string> settings) {
  const fs::path out = folder / name;
  std::vector<std::string> arguments = {"sample", whole_run(folder).string(), "--images", "6", "--out", out.string()};
  arguments.insert(arguments.end(), settings.begin(), settings.end());
  run(arguments);
  std::vector<Tensor> found;
  for (const auto& entry : fs::directory_iterator(out))
    if (entry.path().extension() == ".png" &&
        entry.path().stem().string().find_first_not_of("0123456789") == std::string::npos)
      found.push_back(read_image(entry.path()));
  require(found.size() == 6, "{}: {} pictures, expected 6", out, found.size());
  return found;
}

double apart(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  double most = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i)
    most = std::max(most, (a[i].to(at::kInt) - b[i].to(at::kInt)).abs().max().item<double>());
  return most;
}

std::string batches(const fs::path& folder) {
  const double found = apart(pictures(folder, "together", {"sampling.batch_size=6"}),
                             pictures(folder, "alone", {"sampling.batch_size=1"}));
  // The order of sums may differ in the last bit, which rounding to 8 bits can show as one level.
  return found <= 1.0 ? "" : format("an image drawn alone differs by {} levels from the one in a batch", found);
}

std::string kernels(const fs::path& folder) {
  const double found = apart(pictures(folder, "fast", {"kernels=fast"}),
                             pictures(folder, "reference", {"kernels=reference", "conv=exact"}));
  return found <= 2.0 ? "" : format("images of the fast kernels differ by {} levels from the reference's", found);
}

std::string owners(const fs::path& folder) {
  const fs::path run = folder / "owned";
  const FolderLock first(run, "trained");
  try {
    const FolderLock second(run, "trained");
  } catch (const Error&) {
    return "";
  }
  return "two owners of one folder: its file system keeps no locks";
}

std::string files(const fs::path& folder) {
  const fs::path file = folder / "files/block.safetensors";
  const Tensor values = at::arange(64, at::kFloat);
  write_file(file, sealed_tensor_bytes({{"values", values}}));
  const auto kept = sealed_tensors(file, "");
  if (!kept || !kept->at("values").equal(values)) return "what was written is not what is read";
  const fs::path a = folder / "files/a", b = folder / "files/b";
  make_folder(a);
  make_folder(b);
  if (!file_system().rename_new(a, b)) return "a name that is taken is not refused";
  require_done(file_system().sync_folder(folder / "files"), "cannot sync", folder / "files");
  return "";
}

}  // namespace

std::vector<SelfTest> self_tests() {
  return {{"random numbers are those of the method, bit for bit", random_numbers},
          {"what is saved is what is read", files},
          {"a folder has one owner", owners},
          {"a training in parts ends with the bytes of the uninterrupted one", resuming},
          {"a changed bit in a checkpoint is found, and the one before is taken", damage},
          {"an image is the same alone and in a batch", batches},
          {"the fast kernels draw what the reference does", kernels}};
}

}  // namespace edmund
