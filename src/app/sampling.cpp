#include "edmund/app/config.h"
#include "edmund/app/guide.h"
#include "edmund/app/presets.h"
#include "edmund/core/error.h"
#include "edmund/diffusion/preconditioning.h"

#include <algorithm>
#include <ATen/ops/full.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/ones.h>
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

// One pixel of Gaussian data through the whole sampler: finds out before training whether sampler, clock and grid go together.
void rehearse(Options& options, const Sampling& sampling) {
  const Denoiser gaussian = [](const Tensor& z, double sigma) { return z / (1 + sigma * sigma); };
  UnitNoise noise;
  try {
    const Tensor x = initial_state(*sampling.path, sampling.grid, noise, {1, 1, 1});
    const Tensor image = sampling.sampler(gaussian, *sampling.path, sampling.grid, x, noise);
    options.check(at::isfinite(image).all().item<bool>(), "sampler",
                  "gives values that are not finite on this schedule and grid");
  } catch (const Error& error) {
    options.reject("sampler", error.what());
  }
}

// D = c_skip·z + c_out·F: where c_out is huge at the first level, the network's smallest error is the whole image (Lin et al. 2024).
void check_singular(Options& options, const Sampling& sampling, const Preconditioning& preconditioning) {
  const double sigma = sampling.path->sigma(sampling.grid.t.front());
  const double out = std::abs(preconditioning.edm(at::full({1}, sigma, at::kDouble)).out.item<double>());
  options.check(out < 1e5, "schedule",
                "the first noise level is σ = {}, where this parameterization multiplies the network's error by {}; "
                "use preconditioning v or x0, or a schedule without zero terminal SNR",
                sigma, out);
}

}  // namespace

Sampling make_sampling(Options& options, const Preconditioning& preconditioning) {
  Sampling sampling;
  apply_preset(options);
  Options schedule = options.child("schedule");
  std::unique_ptr<NoiseSchedule> path = make_schedule(schedule);
  if (!preconditioning.levels.empty()) path = snapped(std::move(path), preconditioning.levels);
  sampling.path = std::move(path);
  Options grid = options.child("grid");
  sampling.grid = make_grid(grid, *sampling.path, preconditioning.sigmas);
  Options sampler = options.child("sampler");
  sampling.sampler = make_sampler(sampler);
  const auto rows = sampler_table();
  const auto row = std::find_if(rows.begin(), rows.end(),
                                [name = sampler.text("type", "heun")](const auto& r) { return r.name == name; });
  sampling.recordable = row == rows.end() || row->order != SamplerEntry::kTolerance;
  sampling.name = format("{}, {} steps ({}) on {}", sampler.text("type", "heun"), sampling.grid.t.size(),
                         grid.text("type", "karras"), schedule.text("type", "edm"));

  const std::vector<double> clip = options.reals("clip", {});
  options.check(clip.empty() || (clip.size() == 2 && clip[0] < clip[1]), "clip",
                "expected [low, high] with low < high");
  if (clip.size() == 2) sampling.clip = Interval{clip[0], clip[1]};
  sampling.threshold = options.real("threshold", 0.0, between(0, 1));
  options.check(clip.empty() || sampling.threshold == 0, "threshold", "excludes clip: choose one of them");
  if (sampling.threshold > 0) sampling.name += format(", threshold {}", sampling.threshold);
  Options guidance = options.child("guidance");
  sampling.guidance = guidance.real("weight", 1.0, between(0, 1000));
  const std::vector<double> sigmas = guidance.reals("sigmas", {});
  guidance.check(sigmas.empty() || (sigmas.size() == 2 && sigmas[0] < sigmas[1]), "sigmas",
                 "expected [low, high] with low < high");
  if (sigmas.size() == 2) sampling.guidance_sigmas = {sigmas[0], sigmas[1]};
  read_guide(guidance, sampling);
  sampling.batch_size = options.integer("batch_size", 64, between(1, 1 << 20));

  check_singular(options, sampling, preconditioning);
  rehearse(options, sampling);
  return sampling;
}

}  // namespace edmund
