#include "edmund/ops/ops.h"
