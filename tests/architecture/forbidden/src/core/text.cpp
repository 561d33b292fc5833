#include "edmund/core/text.h"

#include "../ops/kernels.h"

#include <torch/torch.h>
