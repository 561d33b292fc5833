// preconditioning — the mixture F* = a·x0 + b·ε that the network learns, and the scale of its
// input.
//
//   type     a            b            c_in
//   edm      σ/(σ_d·r)    -σ_d/r       1/r, r = √(σ² + σ_d²) Karras et al. 2022, table 1;
//                                      sigma_data (0.5) = σ_d, the images' std
//   eps      0            1            1/√(1+σ²)               Ho et al. 2020;
//                                      scale (vp): of sub_vp, c_in = e^(-asinh(σ/2)) (Song et al.
//                                      2021, eq. 12)
//   v        -σ/√(1+σ²)   1/√(1+σ²)    1/√(1+σ²)               Salimans & Ho 2022;
//                                      factor (1) of a and b: -π/2 is SiT's GVP, whose velocity is
//                                      dx/dt of the cosine schedule, towards data (Ma et al. 2024)
//   flow     -1           1            1/(1+σ)                 Liu et al. 2023, u = ε - x0;
//                                      towards (noise): of data, u = x0 - ε (Ma et al. 2024, SiT)
//   x0       1            0            1/√(1+σ²)               Salimans & Ho 2022
//   score    0            -1           1 Song et al. 2021, networks of the VE SDE
//
//   edm with sigma_min > 0 is a consistency function, whose D is z at σ = sigma_min and below (Song
//   et al. 2023, appendix C): D = c_skip·z + c_out·F with c_skip = σ_d²/((σ - σ_min)² + σ_d²) and
//   c_out = σ_d(σ - σ_min)/r, from which F* follows
//
//   noise_input   log     how the network is told σ (noise_input.cpp), a word or a mapping with its
//                         options
//   input         scaled  or unscaled: c_in = 1 in any row. With it a network of type x0 answers
//                         D(z; σ) itself.
#include "edmund/diffusion/preconditioning.h"

#include "edmund/schedules/nearest_level.h"
#include "noise_input.h"

#include <algorithm>
#include <ATen/ops/full_like.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/zeros_like.h>
#include <cmath>
#include <utility>

namespace edmund {
namespace {

NoiseInput make_noise_input(Options& options) {
  return chosen(noise_inputs(), options, "log", "form in which the network is told σ").make(options);
}

struct Mixture {
  Tensor a, b, in;
};
using MixtureFunction = std::function<Mixture(const Tensor& sigma)>;

Preconditioning with_noise_input(Options& options, MixtureFunction mixture) {
  Options child = options.child("noise_input", "how the network is told σ");
  NoiseInput input = make_noise_input(child);
  const bool scaled = options.choice("input", "scaled", {"scaled", "unscaled"},
                                     "whether the network sees c_in·z of its row, or z as it is") == "scaled";
  const auto coefficients = [mixture = std::move(mixture), noise = std::move(input.noise),
                             scaled](const Tensor& sigma) -> Coefficients {
    TORCH_CHECK(sigma.dim() == 1, "preconditioning: sigma ", sigma.sizes(), ", expected [B]");
    const auto [a, b, in] = mixture(sigma.reshape({-1, 1, 1, 1}));
    return {.a = a, .b = b, .in = scaled ? in : at::ones_like(in), .noise = noise(sigma)};
  };
  return {.coefficients = coefficients,
          .sigmas = input.sigmas,
          .levels = std::move(input.levels),
          .rounding = std::move(input.rounding)};
}

Tensor unit_scale(const Tensor& sigma) { return (sigma.square() + 1).rsqrt(); }

// F* = ((1 - c_skip)·x0 - c_skip·σ·ε)/c_out of a consistency function. Just above σ_min it is
// beyond use, but finite, so that c_skip and c_out follow from it.
Mixture consistency_mixture(const Tensor& sigma, double data, double least) {
  const Tensor above = (sigma - least).clamp_min(1e-9 * least);
  const Tensor in = (sigma.square() + data * data).rsqrt(), share = 1 / (in * (above.square() + data * data));
  return {above * share / data, -data * sigma * share / above, in};
}

Preconditioning make_edm(Options& options) {
  const double data = options.real("sigma_data", 0.5, between(1e-6, 1e6),
                                   "σ_d: standard deviation of the images, which are in [-1, 1]"),
               least = options.real("sigma_min", 0.0, between(0, 1e6),
                                    "level at which D = z, of consistency functions; 0: of none");
  Preconditioning out = with_noise_input(options, [data, least](const Tensor& sigma) -> Mixture {
    if (least > 0) return consistency_mixture(sigma, data, least);
    const Tensor in = (sigma.square() + data * data).rsqrt();
    return {sigma * in / data, -data * in, in};
  });
  out.sigmas.low = std::max(out.sigmas.low, least);
  return out;
}

Preconditioning make_eps(Options& options) {
  const bool sub_vp =
      options.choice("scale", "vp", {"vp", "sub_vp"}, "SDE whose images the network sees: c_in is its s") == "sub_vp";
  return with_noise_input(options, [sub_vp](const Tensor& sigma) -> Mixture {
    const Tensor in = sub_vp ? (-(sigma / 2).asinh()).exp() : unit_scale(sigma);
    return {at::zeros_like(sigma), at::ones_like(sigma), in};
  });
}

Preconditioning make_v(Options& options) {
  const double factor = options.real("factor", 1.0, between(-1000, 1000), "F is so many times v; -π/2 for SiT's GVP");
  options.check(factor != 0, "factor", "must not be 0");
  return with_noise_input(options, [factor = factor == 0 ? 1.0 : factor](const Tensor& sigma) -> Mixture {
    const Tensor in = unit_scale(sigma), b = factor * in;
    return {-sigma * b, b, in};
  });
}

Preconditioning make_flow(Options& options) {
  const bool to_data =
      options.choice("towards", "noise", {"noise", "data"}, "where the velocity points: ε - x0, or x0 - ε") == "data";
  return with_noise_input(options, [sign = to_data ? -1.0 : 1.0](const Tensor& sigma) -> Mixture {
    const Tensor one = at::full_like(sigma, sign);
    return {-one, one, 1 / (1 + sigma)};
  });
}

Preconditioning make_x0(Options& options) {
  return with_noise_input(options, [](const Tensor& sigma) -> Mixture {
    return {at::ones_like(sigma), at::zeros_like(sigma), unit_scale(sigma)};
  });
}

Preconditioning make_score(Options& options) {
  return with_noise_input(options, [](const Tensor& sigma) -> Mixture {
    return {at::zeros_like(sigma), -at::ones_like(sigma), at::ones_like(sigma)};
  });
}

constexpr Entry<PreconditioningFactory> kPreconditionings[] = {
    {"edm", "target and input of unit variance", "Karras et al. 2022, table 1", make_edm},
    {"eps", "the noise ε", "Ho et al. 2020", make_eps},
    {"v", "velocity (ε - σ·x0)/√(1+σ²)", "Salimans & Ho 2022", make_v},
    {"flow", "velocity ε - x0 of straight paths", "Liu et al. 2023; Lipman et al. 2023", make_flow},
    {"x0", "the clean image", "Salimans & Ho 2022", make_x0},
    {"score", "-ε: the score times σ, on unscaled input", "Song et al. 2021", make_score},
};

}  // namespace

void read_noise_input(Options& options) { make_noise_input(options); }

EdmCoefficients Preconditioning::edm(const Tensor& sigma) const {
  const auto [a, b, in, noise] = coefficients(sigma);
  const Tensor wide = sigma.reshape({-1, 1, 1, 1}), divisor = wide * a - b;
  return {.skip = -b / divisor, .out = wide / divisor, .in = in, .noise = noise};
}

double Preconditioning::round(double sigma) const { return rounding.empty() ? sigma : nearest_level(rounding, sigma); }

std::span<const Entry<PreconditioningFactory>> preconditioning_table() { return kPreconditionings; }

Preconditioning make_preconditioning(Options& options) {
  return chosen(preconditioning_table(), options, "edm", "mixture of x0 and ε that the network learns").make(options);
}

}  // namespace edmund
