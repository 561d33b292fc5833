// noise_input — what the network is told about σ: c_noise.
//
//   log     factor·ln σ
//             factor 0.25   of Karras et al. 2022, table 1; 250 in consistency models
//   vp      (M-1)·t, t the time at which the VP SDE has that σ (Song et al. 2021)
//             beta_d 19.9, beta_min 0.1   β(t) = beta_min + beta_d·t
//             M 1000                      number of steps that the network was trained with
//             epsilon_t 1e-5              smallest t that it saw
//             sde vp                      or sub_vp: the time at which the sub-VP SDE has that σ
//   ve      ln(σ/2): Song et al.'s ln σ for images in [0, 1]
//             sigma_min 0.02, sigma_max 100
//   sigma   σ itself
//   flow    t = σ/(1+σ) of straight paths, 0 at the image and 1 at the noise (Liu et al. 2023)
//             scale 1                     multiplies it: 1000 for networks that count so many steps
//             reversed false              1 - t, of networks whose time runs from noise to image
//   cosine  t = (2/π)·atan σ of the cosine schedule, 0 at the image and 1 at the noise
//             scale 1, reversed false     as of flow
//   index   position of the nearest known level, 0 for the smallest one
//             M 1000, C_1 0.001, C_2 0.008   the levels of iDDPM (Karras et al. 2022, table 1),
//                                            with -1 for σ nearest to 0
//             schedule                       or the table of that schedule (ddpm)
//             factor 1                       of the position; 1000/N where N steps count as 1000
//                                            (improved-diffusion's rescaled timesteps)
//             round level                    σ itself is rounded to a level; or none: the network
//                                            is told a position between two; index, down: that
//                                            position rounded, or its whole part (diffusers)
//             between log_sigma              what is linear in the position; or sigma
#include "noise_input.h"

#include "edmund/diffusion/preconditioning.h"
#include "edmund/diffusion/time_grid.h"
#include "edmund/schedules/linear_beta.h"
#include "edmund/schedules/nearest_level.h"
#include "edmund/schedules/noise_schedule.h"

#include <algorithm>
#include <ATen/ops/log1p.h>
#include <ATen/ops/searchsorted.h>
#include <ATen/ops/sqrt.h>
#include <ATen/ops/tensor.h>
#include <ATen/TensorOperators.h>
#include <cmath>
#include <memory>
#include <numbers>
#include <utility>

namespace edmund {
namespace {

NoiseInput make_log(Options& options) {
  const double factor = options.real("factor", 0.25, above(0), "of ln σ: 0.25 in EDM, 250 in consistency models");
  return {.noise = [factor](const Tensor& sigma) { return sigma.log() * factor; }};
}

NoiseInput make_vp(Options& options) {
  const LinearBeta usual;
  const double beta_d = options.real("beta_d", usual.slope, at_least(0),
                                     "β(t) = beta_min + beta_d·t of the SDE that the network was trained with"),
               beta_min = options.real("beta_min", usual.min, above(0), "β(0) of that SDE");
  const LinearBeta beta{beta_min, beta_d};
  const double M = static_cast<double>(options.integer("M", 1000, between(2, 1'000'000),
                                                       "number of steps that the network was trained with")),
               epsilon_t = options.real("epsilon_t", 1e-5, inside(0, 1), "smallest time that the network saw");
  if (options.choice("sde", "vp", {"vp", "sub_vp"}, "whose time it is") == "sub_vp") {
    // σ = 2 sinh(B/2)
    const auto level = [&](double t) { return 2 * std::sinh(0.5 * beta.integral(t)); };
    return {.noise = [=](const Tensor& sigma) { return beta.time((sigma / 2).asinh() * 2, M - 1); },
            .sigmas = {level(epsilon_t), level(1.0)}};
  }
  return {.noise = [=](const Tensor& sigma) { return beta.time(at::log1p(sigma.square()), M - 1); },
          .sigmas = {beta.vp_sigma(epsilon_t), beta.vp_sigma(1.0)}};
}

NoiseInput make_ve(Options& options) {
  const double low = options.real("sigma_min", 0.02, above(0), "lowest noise level that the network saw"),
               high = options.real("sigma_max", 100.0, above(0), "highest noise level that the network saw");
  options.check(low < high, "sigma_max", "must be greater than sigma_min = {}, found {}", low, high);
  const double width =
      options.choice("range", "unit", {"unit", "signed"}, "of images that the network saw: [0, 1] or [-1, 1]") == "unit"
          ? 2.0
          : 1.0;
  return {.noise = [width](const Tensor& sigma) { return (sigma / width).log(); },
          .sigmas = {std::min(low, high), std::max(low, high)}};
}

NoiseInput make_sigma(Options&) {
  return {.noise = [](const Tensor& sigma) { return sigma; }};
}

NoiseInput make_flow_time(Options& options) {
  const double scale = options.real("scale", 1.0, above(0), "multiplies the time");
  const bool reversed = options.flag("reversed", false, "1 - t: the network's time runs from noise to image");
  return {.noise = [=](const Tensor& sigma) { return (reversed ? 1 / (1 + sigma) : sigma / (1 + sigma)) * scale; }};
}

NoiseInput make_cosine_time(Options& options) {
  const double scale = options.real("scale", 1.0, above(0), "multiplies the time") * 2 / std::numbers::pi;
  const bool reversed = options.flag("reversed", false, "1 - t: the network's time runs from noise to image");
  return {.noise = [=](const Tensor& sigma) { return (reversed ? 1 / sigma : sigma).atan() * scale; }};
}

// `known` on the device of `like`. Kept: recorded work must not copy from the host.
std::function<Tensor(const Tensor& like)> on_device_of(const Tensor& known) {
  const auto on_gpu = std::make_shared<Tensor>();
  return [known, on_gpu](const Tensor& like) {
    if (!like.is_cuda()) return known;
    if (!on_gpu->defined() || on_gpu->device() != like.device()) *on_gpu = known.to(like.device());
    return *on_gpu;
  };
}

// Position of σ between the known levels, within their ends.
Tensor position_between(const Tensor& sigma, const Tensor& known, bool logarithmic) {
  const Tensor wanted = sigma.to(at::kDouble);
  const Tensor above = at::searchsorted(known, wanted).clamp(1, known.numel() - 1), below = above - 1;
  const auto place = [&](const Tensor& level) { return logarithmic ? level.log() : level; };
  const Tensor low = place(known.take(below)), high = place(known.take(above));
  return below + ((place(wanted) - low) / (high - low)).clamp(0, 1);
}

NoiseInput make_index(Options& options) {
  NoiseInput input;
  bool ends_at_zero = true;
  Options child = options.child("schedule", "whose table of levels to take in place of iDDPM's, such as ddpm");
  if (options.has("schedule")) {
    input.levels = make_schedule(child)->levels();
    ends_at_zero = false;
    options.check(!input.levels.empty(), "schedule",
                  "has no table of levels; noise_input index needs one, such as ddpm");
  }
  if (input.levels.empty()) {
    input.levels = iddpm_levels(
        options.integer("M", 1000, between(2, 100'000), "number of steps that the network was trained with"),
        options.real("C_1", 0.001, inside(0, 1), "least ratio ᾱ_{j-1}/ᾱ_j of iDDPM's levels"),
        options.real("C_2", 0.008, above(0), "offset of the cosine of iDDPM's levels"));
    std::reverse(input.levels.begin(), input.levels.end());
  }
  input.sigmas = {input.levels.front(), input.levels.back()};
  input.rounding = input.levels;
  if (ends_at_zero) input.rounding.insert(input.rounding.begin(), 0.0);
  const double factor = options.real("factor", 1.0, above(0), "of the position, where N steps count as others");
  const std::string round = options.choice("round", "level", {"level", "none", "index", "down"},
                                           "σ to a level; or its position: not at all, to the nearest whole, down");
  const bool logarithmic = options.choice("between", "log_sigma", {"log_sigma", "sigma"},
                                          "what is linear in a position between two levels") == "log_sigma";
  if (round == "level") {
    const auto known = on_device_of(at::tensor(at::ArrayRef<double>(input.rounding)));
    input.noise = [=, first = ends_at_zero ? -1 : 0](const Tensor& sigma) {
      const Tensor index = (nearest_index(sigma, known(sigma)) + first).to(sigma.scalar_type());
      return factor == 1.0 ? index : index * factor;
    };
    return input;
  }
  const auto known = on_device_of(at::tensor(at::ArrayRef<double>(input.levels)));
  input.noise = [=](const Tensor& sigma) {
    const Tensor position = position_between(sigma, known(sigma), logarithmic);
    return ((round == "none"    ? position
             : round == "index" ? position.round()
                                : position.floor()) *
            factor)
        .to(sigma.scalar_type());
  };
  input.levels.clear(), input.rounding.clear();
  return input;
}

constexpr Entry<NoiseInputFactory> kNoiseInputs[] = {
    {"log", "¼·ln σ, of EDM, or another multiple", "Karras et al. 2022, table 1", make_log},
    {"vp", "(M-1)·t of the VP SDE", "Song et al. 2021", make_vp},
    {"ve", "ln(σ/2), of VE networks", "Song et al. 2021", make_ve},
    {"sigma", "σ itself", "Karras et al. 2022, D(z; σ)", make_sigma},
    {"flow", "time σ/(1+σ) of straight paths", "Liu et al. 2023; Lipman et al. 2023", make_flow_time},
    {"cosine", "time (2/π)·atan σ of the cosine schedule", "Ma et al. 2024", make_cosine_time},
    {"index", "position of the nearest level of a table, c_noise rounded to it or between two",
     "Nichol & Dhariwal 2021; Karras et al. 2022", make_index},
};

}  // namespace

std::span<const Entry<NoiseInputFactory>> noise_inputs() { return kNoiseInputs; }

std::span<const Description> noise_input_table() {
  static const std::vector<Description> table = describe(noise_inputs());
  return table;
}

Tensor nearest_index(const Tensor& sigma, const Tensor& known) {
  const Tensor wanted = sigma.to(at::kDouble);
  const Tensor above = at::searchsorted(known, wanted).clamp(1, known.numel() - 1), below = above - 1;
  return above - nearer_below(known.take(below), wanted, known.take(above)).to(above.scalar_type());
}

}  // namespace edmund
