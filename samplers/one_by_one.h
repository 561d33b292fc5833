#pragma once

#include "edmund/core/tensor.h"
#include "edmund/diffusion/denoiser.h"

#include <functional>

namespace edmund {

/// What `solve` makes of each image of z [B, …] by itself, one after the other, so that an image
/// does not depend on its batch. D may hold labels of the whole batch, so that each evaluation is
/// one of all of it.
Tensor one_by_one(const Denoiser& D, const Tensor& z, const std::function<Tensor(const Denoiser& D, Tensor z)>& solve);

}  // namespace edmund
