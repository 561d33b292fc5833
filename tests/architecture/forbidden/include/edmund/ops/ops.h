#include "edmund/core/missing.h"
