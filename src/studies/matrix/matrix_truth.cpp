#include "matrix_truth.h"

#include "edmund/core/consecutive.h"
#include "edmund/core/error.h"
#include "edmund/diffusion/noise_source.h"
#include "edmund/networks/network.h"
#include "edmund/schedules/wrapped_schedule.h"

#include <algorithm>
#include <ATen/Functions.h>
#include <cmath>
#include <limits>
#include <utility>

namespace edmund::matrix {
namespace {

class ExactNetwork : public Network {
 public:
  ExactNetwork(GaussianMixture mixture, Preconditioning preconditioning)
      : mixture_(std::move(mixture)), preconditioning_(std::move(preconditioning)) {
    register_parameter("dtype", at::zeros({1}, at::kDouble),
                       /*requires_grad=*/false);  // a model runs in the dtype of its weights
  }

  Tensor forward(const Tensor& x, const Tensor& c_noise, const Condition&) override {
    const Tensor sigma = (4 * c_noise).exp();
    const EdmCoefficients c = preconditioning_.edm(sigma);
    const Tensor z = x / c.in;
    return (mixture_.denoised(z, sigma) - c.skip * z) / c.out;
  }
  void initialize(std::uint64_t) override {}

 private:
  GaussianMixture mixture_;
  Preconditioning preconditioning_;
};

// Fourth-order Runge-Kutta in λ = ln σ, where dz/dλ = z - D.
Tensor runge_kutta(const GaussianMixture& mixture, Tensor z, Interval sigmas, std::int64_t steps) {
  const double first = std::log(sigmas.high), h = (std::log(sigmas.low) - first) / static_cast<double>(steps);
  const auto slope = [&](const Tensor& at, double lambda) { return at - mixture.denoised(at, std::exp(lambda)); };
  for (std::int64_t i = 0; i < steps; ++i) {
    const double lambda = first + static_cast<double>(i) * h;
    const Tensor k1 = slope(z, lambda), k2 = slope(z + 0.5 * h * k1, lambda + 0.5 * h),
                 k3 = slope(z + 0.5 * h * k2, lambda + 0.5 * h), k4 = slope(z + h * k3, lambda + h);
    z = z + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4);
  }
  return z;
}

double rms(const Tensor& values) { return std::sqrt(values.square().mean().item<double>()); }

class Watched : public WrappedSchedule {
 public:
  Watched(std::shared_ptr<const NoiseSchedule> schedule, std::vector<double> times, std::shared_ptr<bool> used)
      : WrappedSchedule(std::move(schedule)), times_(std::move(times)), used_(std::move(used)) {}

 private:
  double s(double t) const override {
    note(t);
    return inner().scale(t);
  }
  double sigma_of(double t) const override {
    note(t);
    return inner().sigma(t);
  }
  double s_dot(double t) const override {
    *used_ = true;
    return inner().scale_rate(t);
  }
  double sigma_dot(double t) const override {
    *used_ = true;
    return inner().sigma_rate(t);
  }

  void note(double t) const {
    if (std::find(times_.begin(), times_.end(), t) == times_.end()) *used_ = true;
  }

  std::vector<double> times_;
  std::shared_ptr<bool> used_;
};

}  // namespace

GaussianMixture mixture() {
  const Tensor means = at::tensor({-0.8, 0.5, 0.1, -0.3, 0.6, 0.2, -0.5, 0.7, 0.4, -0.6, 0.8, 0.1}, at::kDouble);
  return {.means = means.view({3, 4}),
          .stds = at::tensor({0.45, 0.35, 0.55}, at::kDouble),
          .weights = at::tensor({0.3, 0.45, 0.25}, at::kDouble)};
}

std::shared_ptr<Network> exact_network(const GaussianMixture& mixture, const Preconditioning& preconditioning) {
  return std::make_shared<ExactNetwork>(mixture, preconditioning);
}

Truth solved(const GaussianMixture& mixture, Interval sigmas) {
  PhiloxNoise noise(0, consecutive(0, 8), at::kDouble, at::kCPU);
  const Tensor x0 = mixture.drawn(noise.normal({1, 2, 2}));
  const Tensor start = x0 + sigmas.high * noise.normal({1, 2, 2});
  constexpr std::int64_t kSteps = 4000;
  const Tensor end = runge_kutta(mixture, start, sigmas, kSteps),
               half = runge_kutta(mixture, start, sigmas, kSteps / 2);
  const double size = rms(end);
  return {.mixture = mixture,
          .sigmas = sigmas,
          .start = start,
          .end = end,
          .size = size,
          // of order 4: the half grid is off by 16 times as much
          .uncertainty = rms(end - half) / 15 / size};
}

std::shared_ptr<NoiseSchedule> watched(std::shared_ptr<const NoiseSchedule> schedule, const TimeGrid& grid,
                                       std::shared_ptr<bool> clock_used) {
  return std::make_shared<Watched>(std::move(schedule), grid.t, std::move(clock_used));
}

Slope fitted(const std::vector<double>& x, const std::vector<double>& y) {
  const auto n = static_cast<double>(x.size());
  double mean_x = 0, mean_y = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    mean_x += std::log(x[i]) / n;
    mean_y += std::log(y[i]) / n;
  }
  double xx = 0, xy = 0, yy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double a = std::log(x[i]) - mean_x, b = std::log(y[i]) - mean_y;
    xx += a * a;
    xy += a * b;
    yy += b * b;
  }
  const double rest = std::max(yy - xy * xy / xx, 0.0);
  return {xy / xx, n > 2 ? std::sqrt(rest / (n - 2) / xx) : std::numeric_limits<double>::quiet_NaN()};
}

double moment_deviation(const Tensor& z, const GaussianMixture& mixture, double sigma) {
  const Tensor flat = z.flatten(1), centered = flat - mixture.mean();  // [n, D] about the true mean
  const auto n = static_cast<double>(flat.size(0));
  const Tensor products = centered.unsqueeze(2) * centered.unsqueeze(1);  // [n, D, D]
  const Tensor mean_off = centered.mean(0).abs() / (centered.std(0) / std::sqrt(n));
  const Tensor covariance_off = (products.mean(0) - mixture.covariance(sigma)).abs() / (products.std(0) / std::sqrt(n));
  return std::max(mean_off.max().item<double>(), covariance_off.max().item<double>());
}

}  // namespace edmund::matrix
