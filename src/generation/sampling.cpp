#include "edmund/generation/sampling.h"

#include "edmund/core/error.h"
#include "edmund/diffusion/preconditioning.h"
#include "edmund/generation/guidance.h"
#include "edmund/generation/presets.h"

#include <algorithm>
#include <ATen/ops/full.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/ones.h>
#include <cmath>
#include <utility>

namespace edmund {
namespace {

class UnitNoise : public NoiseSource {
 public:
  Tensor normal(at::IntArrayRef shape) override {
    std::vector<std::int64_t> all{1};
    all.insert(all.end(), shape.begin(), shape.end());
    return at::ones(all, at::kDouble);
  }
};

constexpr ImageShape kPixel{.channels = 1, .height = 1, .width = 1};

// D of Gaussian data of unit variance.
Tensor gaussian(const Tensor& z, double sigma) { return z / (1 + sigma * sigma); }

// One pixel of Gaussian data through the whole sampler: finds out before training whether sampler,
// schedule and grid go together.
void rehearse(Options& options, const Sampling& sampling) {
  UnitNoise noise;
  try {
    options.check(at::isfinite(sampled(sampling, gaussian, noise, kPixel)).all().item<bool>(), "sampler",
                  "gives values that are not finite on this schedule and grid");
  } catch (const Error& error) {
    options.reject("sampler", error.what());
  }
}

// D = c_skip·z + c_out·F: where c_out is huge at the first level, the network's smallest error is
// the whole image (Lin et al. 2024).
void check_singular(Options& options, const Sampling& sampling, const Preconditioning& preconditioning) {
  const double sigma = sampling.schedule->sigma(sampling.grid.t.front());
  const double out = std::abs(preconditioning.edm(at::full({1}, sigma, at::kDouble)).out.item<double>());
  options.check(out < 1e5, "schedule",
                "the first noise level is σ = {}, where this parameterization multiplies the network's error by {}; "
                "use preconditioning v or x0, or a schedule without zero terminal SNR",
                sigma, out);
}

void read_clipping(Options& options, Sampling& sampling) {
  sampling.clip = options.interval("clip", "bounds that D is cut to, [-1, 1] for images; empty: none");
  sampling.threshold =
      options.real("threshold", 0.0, between(0, 1), "dynamic thresholding: percentile of |D|, as a share; 0: none");
  options.check(!sampling.clip || sampling.threshold == 0, "threshold", "excludes clip: choose one of them");
  sampling.threshold_max = options.real("threshold_max", std::numeric_limits<double>::infinity(), at_least(1),
                                        "bound of what dynamic thresholding divides by");
  if (sampling.threshold > 0) sampling.name += format(", threshold {}", sampling.threshold);
}

}  // namespace

Sampling make_sampling(Options& options, const Preconditioning& preconditioning, const GuideLoader& load) {
  Sampling sampling;
  apply_preset(options);
  Options schedule = options.child("schedule", "noise schedule that is sampled on, whichever the training was"),
          grid = options.child("grid", "times or noise levels that the sampler visits"),
          sampler = options.child("sampler", "how the ODE or SDE is solved");
  std::unique_ptr<NoiseSchedule> made = make_schedule(schedule);
  if (!preconditioning.levels.empty()) made = snapped(std::move(made), preconditioning.levels);
  sampling.schedule = std::move(made);
  sampling.grid = make_grid(grid, *sampling.schedule, preconditioning.sigmas);
  const SamplerEntry& row = chosen_sampler(sampler);
  sampling.sampler = row.make(sampler);
  sampling.recordable = row.order != SamplerEntry::kTolerance;
  sampling.name =
      format("{}, {} steps ({}) on {}", row.name, sampling.grid.t.size(), grid.value("type"), schedule.value("type"));
  read_clipping(options, sampling);
  Options guidance = options.child("guidance", "towards the class, or away from a weaker model");
  read_guidance(guidance, sampling, load);
  const std::string classes = options.choice("classes", "data", {"data", "even"},
                                             "classes of drawn images: as often as in the training data, or evenly");
  if (classes == "even") {
    sampling.classes = ClassRule::kEven;
    sampling.name += ", classes drawn evenly";
  }
  sampling.labels = options.reals("labels", {}, {}, "numbers that the network gets in place of the class, one each");
  for (const double label : sampling.labels) sampling.name += format(", label {}", label);
  sampling.batch_size = options.integer("batch_size", 64, between(1, 1 << 20), "images that are drawn at once");

  check_singular(options, sampling, preconditioning);
  rehearse(options, sampling);
  return sampling;
}

void settle_paths(Options& sampling) {
  for (const char* key : {"grid.file", "schedule.file", "guidance.model"}) sampling.settle(key);
}

Tensor sampled(const Sampling& sampling, const Denoiser& D, NoiseSource& noise, const ImageShape& image) {
  const Tensor x = initial_state(*sampling.schedule, sampling.grid, noise, {image.channels, image.height, image.width});
  return sampling.sampler(D, *sampling.schedule, sampling.grid, x, noise);
}

std::int64_t evaluations_of(const Sampling& sampling) {
  const auto count = std::make_shared<std::int64_t>(0);
  PhiloxNoise noise(0, {0}, at::kDouble, at::kCPU);
  sampled(sampling, counted(gaussian, count), noise, kPixel);
  return *count * (sampling.guidance != 1.0 ? 2 : 1);
}

}  // namespace edmund
