#include "edmund/diffusion/denoiser.h"

namespace edmund {

Denoiser counted(Denoiser denoiser, std::shared_ptr<std::int64_t> count) {
  return [denoiser = std::move(denoiser), count = std::move(count)](const Tensor& z, double sigma) {
    ++*count;
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
