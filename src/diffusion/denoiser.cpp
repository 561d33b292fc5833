#include "edmund/diffusion/denoiser.h"

#include <ATen/ops/maximum.h>
#include <ATen/ops/minimum.h>
#include <ATen/ops/quantile.h>

namespace edmund {

Denoiser counted(Denoiser denoiser, std::shared_ptr<std::int64_t> count, std::int64_t each) {
  return [denoiser = std::move(denoiser), count = std::move(count), each](const Tensor& z, double sigma) {
    *count += each;
    return denoiser(z, sigma);
  };
}

Denoiser recorded(Denoiser denoiser, std::shared_ptr<std::vector<Evaluation>> trace) {
  return [denoiser = std::move(denoiser), trace = std::move(trace)](const Tensor& z, double sigma) {
    Tensor denoised = denoiser(z, sigma);
    trace->push_back({z.detach().clone(), sigma, denoised.detach().clone()});
    return denoised;
  };
}

Denoiser clipped(Denoiser denoiser, Interval range) {
  return [denoiser = std::move(denoiser), range](const Tensor& z, double sigma) {
    return denoiser(z, sigma).clamp(range.low, range.high);
  };
}

Tensor thresholded(const Tensor& D, double share, double most) {
  // quantile() knows no others
  const auto dtype = D.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const Tensor s = at::quantile(D.abs().flatten(1).to(dtype), share, 1)
                       .clamp(1.0, most)
                       .to(D.scalar_type())
                       .reshape({-1, 1, 1, 1});  // [B, 1, 1, 1]
  return at::maximum(at::minimum(D, s), -s) / s;
}

Denoiser thresholded(Denoiser denoiser, double share, double most) {
  return [denoiser = std::move(denoiser), share, most](const Tensor& z, double sigma) {
    return thresholded(denoiser(z, sigma), share, most);
  };
}

Denoiser guided(Denoiser strong, Denoiser weak, double weight) {
  return [strong = std::move(strong), weak = std::move(weak), weight](const Tensor& z, double sigma) {
    const Tensor base = weak(z, sigma);
    return base + weight * (strong(z, sigma) - base);
  };
}

Denoiser limited_to(Interval sigmas, Denoiser guided, Denoiser plain) {
  return [sigmas, guided = std::move(guided), plain = std::move(plain)](const Tensor& z, double sigma) {
    return sigmas.contains(sigma) ? guided(z, sigma) : plain(z, sigma);
  };
}

}  // namespace edmund
