#pragma once

#include "edmund/samplers/dormand_prince.h"
#include "schedules/sde.h"
#include "support/golden.h"
#include "support/mixture.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/sqrt.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros_like.h>
#include <ATen/TensorOperators.h>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <torch/csrc/autograd/autograd.h>
#include <utility>

namespace edmund::testing {

/// The probability-flow ODE as score_sde computes it: in single precision, where 1 - exp(…) keeps
/// two digits near t = 0. A solver sees that as roughness and takes other steps than on the exact
/// slope, so that only this one takes the reference's, to the last bit. The network is exact: the
/// noise at the time of the label 999·t, on VE the score. It computes in `network`, and what it
/// loses there is part of the roughness: on a mixture, single precision.
class ScoreSdeSlope {
 public:
  /// The network's result is `off` float32 roundings from what it is computed as.
  ScoreSdeSlope(const Sde& sde, Mixture mixture, at::ScalarType network = at::kDouble, int off = 0)
      : sde_(sde), mixture_(std::move(mixture)), network_(network), off_(off), exact_(sde.continuous(1e-9)) {}

  /// dx/dt: x [B, C, H, W] of any dtype → the same shape, float32.
  Tensor operator()(double time, const Tensor& x_wide) const {
    const Tensor x = x_wide.to(at::kFloat), t = at::ones({1}, at::kFloat) * time;
    const double low = sde_.low, slope = sde_.high - sde_.low;
    if (sde_.name == "ve") {
      const Tensor sigma = low * at::pow(sde_.high / low, t);
      const Tensor diffusion = sigma * at::sqrt(at::tensor(2 * (std::log(sde_.high) - std::log(low)), at::kFloat));
      return at::zeros_like(x) - diffusion.pow(2) * score(x, sigma.item<double>()).to(at::kFloat) * 0.5;
    }
    const Tensor beta = low + t * slope, log_mean = -0.25 * t.pow(2) * slope - 0.5 * t * low;
    const Tensor lost = 1. - at::exp(2. * log_mean), std = sde_.name == "vp" ? at::sqrt(lost) : lost;
    const Tensor diffusion =
        sde_.name == "vp" ? at::sqrt(beta) : at::sqrt(beta * (1. - at::exp(-2 * low * t - slope * t.pow(2))));
    const double seen = ((t * 999).to(network_) / 999).item<double>();
    const Tensor noise = noise_in(x, exact_->scale(seen), exact_->sigma(seen)).to(at::kFloat) *
                         (1 + off_ * std::numeric_limits<float>::epsilon());
    return -0.5 * beta * x - diffusion.pow(2) * (-noise / std) * 0.5;
  }
  /// Its divergence, [B]: one probe of ones, which is exact where the Jacobian is a multiple of 1.
  Tensor divergence(double time, const Tensor& x) const {
    const at::AutoGradMode gradients(true);
    const Tensor leaf = x.to(at::kFloat).detach().clone().requires_grad_(true);
    const Tensor gradient = torch::autograd::grad({(*this)(time, leaf).sum()}, {leaf})[0];
    return at::sum(gradient, {1, 2, 3}).to(at::kDouble);
  }

 private:
  // Both with their graph.
  Tensor noise_in(const Tensor& x, double s, double sigma) const {
    const Tensor z = x.to(network_) / s;
    return (z - mixture_.denoised(z, sigma)) / sigma;
  }
  Tensor score(const Tensor& x, double sigma) const {
    const Tensor z = x.to(at::kDouble);
    return (mixture_.denoised(z, sigma) - z) / (sigma * sigma);
  }

  Sde sde_;
  Mixture mixture_;
  at::ScalarType network_;
  int off_;
  std::shared_ptr<NoiseSchedule> exact_;
};

/// The tolerances that a sentence states: "rtol = atol = 1e-5" or "rtol 1e-4, atol 1e-6".
inline Tolerance stated_tolerance(const std::string& text) {
  return {.relative = number_in(text, R"(rtol\D*([0-9][-+.e0-9]*))"),
          .absolute = number_in(text, R"(atol\D*([0-9][-+.e0-9]*))")};
}

/// dormand_prince() on the whole batch as one row, as SciPy's solve_ivp is called there.
inline Solution solved_as_one(const Slope& slope, const Tensor& x, double from, double to, const Tolerance& tolerance) {
  const Slope flat = [&](double t, const Tensor& y) {
    return slope(t, y.reshape(x.sizes())).reshape({1, -1}).to(at::kDouble);
  };
  return dormand_prince(flat, x.to(at::kDouble).reshape({1, -1}), from, to, tolerance);
}

}  // namespace edmund::testing
