#include "diverged.h"

#include "edmund/core/log.h"
#include "edmund/core/text.h"
#include "edmund/training/checkpoint.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <string_view>
#include <vector>

namespace edmund {
namespace fs = std::filesystem;
namespace {

// As a shell takes it for one word.
std::string shell_word(const std::string& text) {
  const auto is_plain = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string_view("/._-+=:,@%").find(c) != std::string_view::npos;
  };
  if (!text.empty() && std::ranges::all_of(text, is_plain)) return text;
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// Numbers of the batch's images in the data.
std::vector<std::int64_t> images_of(const ExaminedBatch& batch, const Experiment& experiment) {
  const std::int64_t size = experiment.data->info().size;
  std::vector<std::int64_t> out;
  for (std::int64_t i = 0; i < batch.inputs.positions.size(0); ++i)
    out.push_back(data_index(batch.inputs.positions[i].item<std::int64_t>(), size, experiment.config.loader.seed));
  return out;
}

// "image 17 (position 460, sigma 0.41), …" of those without a finite loss.
std::string named_images(const ExaminedBatch& batch) {
  constexpr int kMost = 5;
  std::string out;
  int count = 0;
  for (std::size_t i = 0; i < batch.losses.size(); ++i) {
    if (std::isfinite(batch.losses[i]) || count++ >= kMost) continue;
    out += format("{}image {} of the data (position {}, {} {})", out.empty() ? "" : ", ", batch.images[i],
                  batch.inputs.positions[static_cast<std::int64_t>(i)].item<std::int64_t>(), batch.clock_name,
                  short_number(batch.clock[i]));
  }
  return count > kMost ? format("{} and {} more", out, count - kMost) : out;
}

// Whether some images spoil a batch whose others are as losses have been.
bool is_of_images(const ExaminedBatch& batch, const LossTrend& trend) {
  double sum = 0.0;
  int finite = 0;
  for (const double loss : batch.losses)
    if (std::isfinite(loss)) sum += loss, ++finite;
  if (finite == 0 || finite == std::ssize(batch.losses)) return false;
  return trend.rise() <= LossTrend::kBound && (trend.mean() == 0.0 || sum / finite <= LossTrend::kBound * trend.mean());
}

// Settings with which the training is likely to get past it, as overrides.
std::string other_settings(const TrainingSettings& settings, const ExaminedBatch* batch, const LossTrend& trend) {
  // where mixed precision begins (Micikevicius et al. 2018)
  constexpr double kScaleThatFits = 65536.0;
  constexpr double kUsualRate = 1e-3;  // Adam's (Kingma & Ba 2015)
  const auto is_finite = [](double loss) { return std::isfinite(loss); };
  if (batch && !settings.dynamic_scale && settings.loss_scale > kScaleThatFits &&
      std::ranges::all_of(batch->losses, is_finite))
    return "training.loss_scale=1";
  if (batch && is_of_images(*batch, trend)) return format("training.max_skipped={}", 10 * settings.max_skipped);
  return format("training.learning_rate={} training.clip_norm={}",
                short_number(std::min(settings.learning_rate.base / 10, kUsualRate)),
                settings.clip_norm > 0.0 ? short_number(settings.clip_norm / 10) : "1");
}

}  // namespace

std::string told_divergence(const Experiment& experiment, const RunFolder& run, const Trainer& trainer,
                            const Diverged& reason) {
  const auto healthy = newest_healthy_checkpoint(run.path);
  const std::string start = healthy ? "edmund train --from " + shell_word(healthy->string())
                                    : "edmund train " + shell_word(run.path.string()) + " --from start";
  if (const ExaminedBatch* troubled = trainer.troubled()) {
    ExaminedBatch batch = *troubled;
    batch.images = images_of(batch, experiment);
    const std::int64_t first = batch.inputs.positions[0].item<std::int64_t>();
    const fs::path file =
        run.path / "diverged" / (checkpoint_folder(run.path, first).filename().string() + ".safetensors");
    write_batch(file, batch);
    const std::string images = named_images(batch);
    log::warn("the batch that it began with: {}{}{}", file.string(),
              images.empty() ? "" : "; no finite loss: ", images);
    log::warn("what the weights before it make of this batch: {} --replay {}", start, shell_word(file.string()));
  }
  return format("{}; {}; go on with other settings by: {} {}", reason.what(),
                healthy ? "the last healthy checkpoint is " + healthy->string() : "there is no healthy checkpoint yet",
                start, other_settings(experiment.config.training, trainer.troubled(), trainer.trend()));
}

}  // namespace edmund
