#pragma once

#include "edmund/diffusion/preconditioning.h"
#include "edmund/networks/network.h"
#include "support/mixture.h"

#include <ATen/ATen.h>
#include <utility>

namespace edmund::testing {

/// A network whose D is the exact denoiser of a mixture: F = (D - c_skip·z)/c_out. It is told σ by
/// the test, and finds z = x/c_in. Double precision.
class Oracle : public Network {
 public:
  Oracle(Mixture mixture, Preconditioning preconditioning)
      : mixture_(std::move(mixture)), preconditioning_(std::move(preconditioning)) {
    register_parameter("dtype", at::zeros({1}, at::kDouble));
  }

  Tensor sigma;  // [B], of the next call

  Tensor forward(const Tensor& x, const Tensor& c_noise, const Condition&) override {
    const auto c = preconditioning_.edm(sigma);
    z = x / c.in;
    noise = c_noise;
    return (mixture_.denoised(z, sigma) - c.skip * z) / c.out;
  }
  void initialize(std::uint64_t) override {}

  Tensor z, noise;  // what the last call saw

 private:
  Mixture mixture_;
  Preconditioning preconditioning_;
};

}  // namespace edmund::testing
