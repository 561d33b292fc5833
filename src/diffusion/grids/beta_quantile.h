#pragma once

namespace edmund::grids {

/// x in [0, 1] below which a share p of the Beta(a, b) distribution lies; a, b > 0.
double beta_quantile(double a, double b, double p);

}  // namespace edmund::grids
