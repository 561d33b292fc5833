#pragma once

#include "edmund/core/interval.h"
#include "edmund/core/options.h"
#include "edmund/core/table.h"
#include "edmund/core/tensor.h"

#include <functional>
#include <limits>
#include <span>
#include <vector>

namespace edmund {

/// Training target F* = a·x0 + b·ε and the network's inputs. [B, 1, 1, 1] each, except noise [B];
/// dtype and device of σ.
struct Coefficients {
  Tensor a, b, in, noise;
};

/// EDM's form of the same: D = skip·z + out·F with out = σ/(σa - b), skip = -b/(σa - b).
struct EdmCoefficients {
  Tensor skip, out, in, noise;
};

/// What a network learns and how it is told the noise level.
struct Preconditioning {
  /// σ [B] → coefficients. Where the network knows some levels only, it is told the nearest
  /// (`noise`); a, b and in are those of σ itself.
  std::function<Coefficients(const Tensor& sigma)> coefficients;
  /// Noise levels that the network was made for.
  Interval sigmas = {0.0, std::numeric_limits<double>::infinity()};
  /// The only levels that it knows, ascending, all > 0; empty if it knows all.
  std::vector<double> levels = {};
  /// Levels that `round` chooses from: `levels`, with 0 before them where the network's own table
  /// ends there.
  std::vector<double> rounding = {};

  EdmCoefficients edm(const Tensor& sigma) const;
  /// Nearest of `rounding`, ties to the larger (σ itself if all levels are known).
  double round(double sigma) const;
};
using PreconditioningFactory = Preconditioning(Options&);

std::span<const Entry<PreconditioningFactory>> preconditioning_table();
/// Row that `type` names (default edm), with its `noise_input`.
Preconditioning make_preconditioning(Options& options);
/// Choices of `noise_input`.
std::span<const Description> noise_input_table();
/// Reads a `noise_input` mapping, as make_preconditioning() does, for what it says of its keys.
void read_noise_input(Options& options);

}  // namespace edmund
