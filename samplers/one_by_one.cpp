#include "one_by_one.h"

#include <ATen/ops/cat.h>
#include <vector>

namespace edmund {

Tensor one_by_one(const Denoiser& D, const Tensor& z, const std::function<Tensor(const Denoiser& D, Tensor z)>& solve) {
  std::vector<Tensor> images;
  for (std::int64_t i = 0; i < z.size(0); ++i) {
    const Denoiser only = [&](const Tensor& one, double sigma) {
      return D(one.expand(z.sizes()).contiguous(), sigma).narrow(0, i, 1);
    };
    images.push_back(solve(only, z.narrow(0, i, 1)));
  }
  return at::cat(images);
}

}  // namespace edmund
