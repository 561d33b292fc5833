#include "dormand_prince.h"

#include <array>
#include <ATen/TensorOperators.h>

namespace edmund {
namespace {

constexpr std::array<double, 7> kNode{0, 1. / 5, 3. / 10, 4. / 5, 8. / 9, 1, 1};
constexpr double kStage[7][6] = {{},
                                 {1. / 5},
                                 {3. / 40, 9. / 40},
                                 {44. / 45, -56. / 15, 32. / 9},
                                 {19372. / 6561, -25360. / 2187, 64448. / 6561, -212. / 729},
                                 {9017. / 3168, -355. / 33, 46732. / 5247, 49. / 176, -5103. / 18656},
                                 {35. / 384, 0, 500. / 1113, 125. / 192, -2187. / 6784, 11. / 84}};
constexpr std::array<double, 7> kError{71. / 57600, 0, -71. / 16695, 71. / 1920, -17253. / 339200, 22. / 525, -1. / 40};

}  // namespace

DormandPrinceStep dormand_prince_step(const Slope& f, const Tensor& z, const Tensor& slope, double p, double h) {
  std::array<Tensor, 7> k{slope};
  Tensor next, error = kError[0] * slope;
  for (std::size_t i = 1; i < 7; ++i) {
    next = z;
    for (std::size_t j = 0; j < i; ++j)
      if (kStage[i][j] != 0) next = next + (h * kStage[i][j]) * k[j];
    k[i] = f(next, p + kNode[i] * h);
    error = error + kError[i] * k[i];
  }
  return {next, h * error, k[6]};  // the last stage is the step
}

}  // namespace edmund
