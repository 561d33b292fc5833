#include "edmund/ops/pixels.h"

#include <ATen/TensorOperators.h>

namespace edmund {

Tensor to_uint8(const Tensor& images) {
  const auto wide = images.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const Tensor levels = (images.detach().to(wide) * 127.5 + 128.0).nan_to_num(0.0);
  return levels.clamp(0.0, 255.0).to(at::kByte);
}

Tensor to_float(const Tensor& images, at::ScalarType dtype) {
  return images.is_floating_point() ? images.to(dtype) : images.to(dtype) / 127.5 - 1.0;
}

}  // namespace edmund
