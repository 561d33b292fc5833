#pragma once

#include "edmund/core/tensor.h"
#include "edmund/diffusion/denoiser.h"
#include "edmund/diffusion/loss_weight.h"
#include "edmund/diffusion/preconditioning.h"
#include "edmund/networks/condition.h"

#include <memory>

namespace edmund {

/// Where a network's weights lie; the CPU if it has none.
at::Device device_of(const Network& network);

/// Network + Preconditioning: the only place where F becomes D. Cheap to copy; copies share the
/// network.
class DenoisingModel {
 public:
  DenoisingModel(std::shared_ptr<Network> network, Preconditioning preconditioning, LossWeight weight);

  /// D(z; σ): z [B, C, H, W] of any float dtype, σ [B] (or [1]) → [B, C, H, W] in z's dtype. The
  /// network runs in the dtype of its weights, coefficients in σ's.
  Tensor denoise(const Tensor& z, const Tensor& sigma, const Condition& condition) const;

  /// w(σ)·(F - F*)² of every element, [B, C, H, W]; x0 and eps alike, σ [B]. Reduce as the trainer
  /// says (sum or mean).
  Tensor loss(const Tensor& x0, const Tensor& eps, const Tensor& sigma, const Condition& condition) const;

  /// The same on another network.
  DenoisingModel on(std::shared_ptr<Network> network) const;

  const Preconditioning& preconditioning() const { return preconditioning_; }
  Network& network() const { return *network_; }
  const std::shared_ptr<Network>& shared_network() const { return network_; }

 private:
  std::shared_ptr<Network> network_;
  Preconditioning preconditioning_;
  LossWeight weight_;
};

/// The model with its condition bound: what a sampler gets. Runs without gradients. The network
/// runs on its own device, D comes back on z's.
Denoiser conditioned(const DenoisingModel& model, Condition condition);

/// The same with gradients: D can be differentiated by z, as likelihoods need. Throws Error under
/// torch::InferenceMode, which has no graph.
Denoiser differentiable(const DenoisingModel& model, Condition condition);

/// D_u + w·(D_c - D_u) of one network under two conditions, both in one batch of 2B:
/// guided(conditioned(c), conditioned(u), w) up to rounding, in one call of the network. Each image
/// costs two network evaluations.
Denoiser guided(const DenoisingModel& model, const Condition& condition, const Condition& base, double weight);

}  // namespace edmund
