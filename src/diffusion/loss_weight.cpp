// loss_weight — λ(σ) of the loss λ(σ)·‖D - x0‖².
//
//   unit      1 on the network's own target instead of on D: each paper's simple loss
//   edm       (σ² + σ_d²)/(σ·σ_d)² Karras et al. 2022, table 1; sigma_data (0.5) = σ_d
//   snr       1/σ²: the loss of the noise, Ho et al. 2020
//   min_snr   min(1/σ², gamma)                    Hang et al. 2023, eq. 7; gamma 5
//   sigmoid   1/(σ² + e^(-bias)): sigmoid(bias - ln SNR) on the loss of the noise Kingma & Gao
//             2023; bias 2
#include "edmund/diffusion/loss_weight.h"

#include <cmath>

namespace edmund {
namespace {

LossWeight make_unit(Options&) {
  return [](const Tensor&) { return Tensor(); };
}

LossWeight make_edm(Options& options) {
  const double data = options.real("sigma_data", 0.5, between(1e-6, 1e6),
                                   "σ_d: standard deviation of the images, which are in [-1, 1]");
  return [data](const Tensor& sigma) { return (sigma.square() + data * data) / (sigma * data).square(); };
}

LossWeight make_snr(Options&) {
  return [](const Tensor& sigma) { return sigma.square().reciprocal(); };
}

LossWeight make_min_snr(Options& options) {
  const double gamma = options.real("gamma", 5.0, above(0), "largest weight");
  return [gamma](const Tensor& sigma) { return sigma.square().reciprocal().clamp_max(gamma); };
}

LossWeight make_sigmoid(Options& options) {
  const double bias = options.real("bias", 2.0, between(-50, 50), "log SNR at which the weight falls to a half");
  return [floor = std::exp(-bias)](const Tensor& sigma) { return (sigma.square() + floor).reciprocal(); };
}

constexpr Entry<LossWeightFactory> kLossWeights[] = {
    {"unit", "1 on the network's own target", "each paper's simple loss", make_unit},
    {"edm", "(σ² + σ_d²)/(σ·σ_d)²", "Karras et al. 2022, table 1", make_edm},
    {"snr", "1/σ², of ε in D-space", "Ho et al. 2020", make_snr},
    {"min_snr", "min(1/σ², gamma)", "Hang et al. 2023, eq. 7", make_min_snr},
    {"sigmoid", "1/(σ² + e^(-bias))", "Kingma & Gao 2023", make_sigmoid},
};

}  // namespace

std::span<const Entry<LossWeightFactory>> loss_weight_table() { return kLossWeights; }

LossWeight make_loss_weight(Options& options) {
  return chosen(loss_weight_table(), options, "unit", "weight of ‖D - x0‖² at σ").make(options);
}

}  // namespace edmund
