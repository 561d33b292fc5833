#include "edmund/generation/picture.h"

#include "edmund/ops/pixels.h"

namespace edmund {

Tensor picture_of(const Tensor& images) {
  const std::int64_t channels = images.size(1);
  if (channels == 1 || channels == 3) return to_uint8(images).cpu();
  return to_uint8(images.narrow(1, 0, channels > 3 ? 3 : 1)).cpu();
}

}  // namespace edmund
