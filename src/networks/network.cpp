#include "edmund/networks/network.h"

#include <ATen/ATen.h>

namespace edmund {

Tensor class_rows(const Tensor& labels, std::int64_t classes, std::int64_t batch, const at::TensorOptions& options) {
  if (!labels.defined()) return at::zeros({1, classes}, options);
  TORCH_CHECK(labels.size(0) == batch || labels.size(0) == 1, "network: ", labels.size(0), " labels for a batch of ",
              batch);
  if (labels.dim() == 1) {
    const Tensor index = labels.to(options.device(), at::kLong).unsqueeze(1);
    return at::zeros({labels.size(0), classes + 1}, options).scatter_(1, index, 1.0).narrow(1, 0, classes);
  }
  TORCH_CHECK(labels.dim() == 2 && labels.size(1) == classes, "network: labels ", labels.sizes(), " for ", classes,
              " classes");
  return labels.to(options);
}

}  // namespace edmund
