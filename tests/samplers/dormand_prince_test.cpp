#include "edmund/samplers/dormand_prince.h"

#include "edmund/core/error.h"
#include "support/catch.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <ATen/TensorOperators.h>
#include <cmath>
#include <map>
#include <string>
#include <utility>

namespace edmund::testing {
namespace {

// dy/dt = rate·y, a rate for each row.
Slope decay(const Tensor& rates) {
  return [rates](double, const Tensor& y) { return rates.unsqueeze(1) * y; };
}

}  // namespace

TEST_CASE("one step of the pair is exact for polynomials up to its order and sees the error of the next",
          "[samplers]") {
  // The whole way is one step where the first guess is as long as the way; polynomials of low
  // degree leave no error.
  for (int degree = 0; degree <= 4; ++degree) {
    const Slope slope = [degree](double t, const Tensor& y) { return at::full_like(y, std::pow(t, degree)); };
    const Solution s = dormand_prince(slope, at::full({1, 1}, 1.0, at::kDouble), 0.0, 1.0, {1e-3, 1e-3});
    CHECK(std::abs(s.y.item<double>() - 1 - 1.0 / (degree + 1)) < 1e-14);
    CHECK(s.evaluations == 2 + 6 * (s.accepted + s.rejected));
  }
}

TEST_CASE("rk45 keeps its tolerance on every row, in both directions", "[samplers]") {
  const Tensor rates = at::tensor({-1.0, 0.5, -20.0}, at::kDouble);
  for (const double tolerance : {1e-4, 1e-7, 1e-10})
    for (const auto& [from, to] : {std::pair{0.0, 2.0}, std::pair{2.0, 0.0}}) {
      const Tensor y0 = (rates * from).exp().unsqueeze(1).expand({3, 4}).clone();
      const Solution s = dormand_prince(decay(rates), y0, from, to, {tolerance, tolerance});
      const Tensor truth = (rates * to).exp().unsqueeze(1);
      const Tensor error = ((s.y - truth) / truth.abs().clamp_min(1.0)).abs();
      INFO("tolerance " << tolerance << ", error " << error.max().item<double>() << ", steps " << s.accepted);
      // Errors of single steps add up, times the growth of exp(40) of the third row when it runs
      // backwards from 1e-18.
      if (to > from) CHECK(error.max().item<double>() < 20 * tolerance);
      CHECK(error.narrow(0, 0, 2).max().item<double>() < 20 * tolerance);
    }
}

TEST_CASE("a hard row decides the steps of all, and is not averaged away", "[samplers]") {
  const Tensor hard = at::tensor({-50.0}, at::kDouble), easy = at::full({63}, -0.1, at::kDouble);
  const Tensor one = at::full({1, 1}, 1.0, at::kDouble), all = at::full({64, 1}, 1.0, at::kDouble);
  const Solution alone = dormand_prince(decay(hard), one, 0, 1, {1e-6, 1e-6});
  const Solution together = dormand_prince(decay(at::cat({hard, easy})), all, 0, 1, {1e-6, 1e-6});
  CHECK(together.accepted >= alone.accepted);
  CHECK(std::abs(together.y[0][0].item<double>() - std::exp(-50.0)) < 1e-5);
}

TEST_CASE("rk45's error falls with the fifth power of its step", "[samplers]") {
  // By the control error ~ h^5 · steps: a tolerance 2^-25 as large means about 2^5 as many steps.
  const Slope slope = [](double t, const Tensor& y) { return std::cos(3 * t) * y; };
  const auto steps = [&](double tolerance) {
    return static_cast<double>(
        dormand_prince(slope, at::full({1, 1}, 1.0, at::kDouble), 0, 20, {tolerance, tolerance}).accepted);
  };
  CHECK(std::abs(std::log2(steps(1e-12) / steps(1e-6)) / std::log2(1e6) - 0.2) < 0.02);
}

TEST_CASE("rk45 takes the steps of SciPy's solve_ivp", "[samplers]") {
  // scipy.integrate.solve_ivp(f, (from, to), y0, method="RK45", rtol, atol) of SciPy 1.17.1: nfev,
  // and the steps that it took. y0 of two numbers is one row.
  struct Case {
    const char* name;
    double from, to, rtol, atol;
    std::int64_t evaluations, accepted;
  };
  const Case cases[] = {{"decay", 0, 3, 0.001, 1e-06, 182, 29},  {"decay", 0, 3, 1e-05, 1e-05, 194, 31},
                        {"decay", 0, 3, 1e-08, 1e-10, 734, 121}, {"rotation", 0, 3, 0.001, 1e-06, 44, 7},
                        {"rotation", 3, 0, 1e-05, 1e-05, 50, 8}, {"rotation", 3, 0, 1e-08, 1e-10, 248, 39},
                        {"pulse", 0, 3, 0.001, 1e-06, 116, 14},  {"pulse", 0, 3, 1e-05, 1e-05, 152, 19},
                        {"pulse", 0, 3, 1e-08, 1e-10, 566, 82},  {"pulse", 3, 0, 0.001, 1e-06, 104, 13},
                        {"pulse", 3, 0, 1e-05, 1e-05, 158, 20},  {"pulse", 3, 0, 1e-08, 1e-10, 596, 86},
                        {"wave", 0, 3, 0.001, 1e-06, 50, 6},     {"wave", 0, 3, 1e-05, 1e-05, 86, 11},
                        {"wave", 3, 0, 1e-05, 1e-05, 56, 9},     {"wave", 3, 0, 1e-08, 1e-10, 284, 42},
                        {"rest", 0, 3, 0.001, 1e-06, 50, 8}};
  const auto row = [](double a, double b) { return at::tensor({a, b}, at::kDouble).unsqueeze(0); };
  const std::map<std::string, std::pair<Slope, Tensor>> problems{
      {"decay", {[](double, const Tensor& y) { return -20 * y; }, row(1, 2)}},
      {"rotation",
       {[](double, const Tensor& y) {
          return at::cat({y.narrow(1, 1, 1), -y.narrow(1, 0, 1)}, 1);
        },
        row(1, 0)}},
      {"pulse", {[](double t, const Tensor& y) { return 50 * std::exp(-200 * (t - 1.3) * (t - 1.3)) - y; }, row(0, 1)}},
      {"wave", {[](double t, const Tensor& y) { return std::cos(3 * t) * y; }, row(1, -3)}},
      {"rest", {[](double, const Tensor& y) { return 0 * y; }, row(1, 0)}}};
  for (const auto& run : cases) {
    const auto& [slope, y0] = problems.at(run.name);
    const Solution found = dormand_prince(slope, y0, run.from, run.to, {run.rtol, run.atol});
    INFO(run.name << " from " << run.from << " to " << run.to << ", rtol " << run.rtol);
    CHECK(found.evaluations == run.evaluations);
    CHECK(found.accepted == run.accepted);
  }
}

TEST_CASE("rk45 says why it stopped", "[samplers]") {
  const auto message = [](const Slope& slope, const Tolerance& tolerance) -> std::string {
    try {
      dormand_prince(slope, at::full({1, 1}, 1.0, at::kDouble), 0, 1, tolerance);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  const Slope blowing_up = [](double t, const Tensor& y) { return y / (0.5 - t) * (t < 0.5 ? 1.0 : NAN); };
  CHECK(message(blowing_up, {}).find("t =") != std::string::npos);
  CHECK(message(decay(at::full({1}, -1.0, at::kDouble)), {1e-9, 1e-9, 3}).find("3 steps") != std::string::npos);
}

}  // namespace edmund::testing
