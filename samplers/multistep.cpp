#include "multistep.h"

#include "edmund/samplers/velocity.h"
#include "quadrature.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace edmund {

void remember(History& past, const Past& newest, std::size_t keep) {
  past.push_front({newest.at, Tensor(newest.value)});
  if (past.size() > keep) past.pop_back();
}

ops::Sum lagrange_integral(const History& m, std::size_t order, double length,
                           const std::function<double(int)>& moment) {
  std::vector<double> nodes, moments;
  for (std::size_t j = 0; j < order; ++j) {
    nodes.push_back((m[j].at - m[0].at) / length);
    moments.push_back(moment(static_cast<int>(j)));
  }
  const std::vector<double> C = quadrature_weights(nodes, moments);
  ops::Sum sum;
  for (std::size_t j = 0; j < order; ++j) sum += C[j] * m[j].value;
  return sum;
}

std::vector<ops::Sum> divided_differences(const History& m, std::size_t order, double length) {
  std::vector<ops::Sum> d;
  for (std::size_t j = 0; j < order; ++j) d.push_back(m[j].value);
  for (std::size_t k = 1; k < order; ++k)
    for (std::size_t j = order - 1; j >= k; --j) d[j] = (d[j - 1] - d[j]) / ((m[j - k].at - m[j].at) / length);
  return d;
}

ops::Sum runge_kutta_step(const Denoiser& D, const MultistepStep& step) {
  const double h = std::log(step.next / step.sigma), middle = std::sqrt(step.sigma * step.next);
  const auto slope = [&](const Tensor& z, double sigma) { return z - ops::Sum(D(z, sigma)); };
  const ops::Sum k1 = step.z - step.D, k2 = slope(step.z + 0.5 * h * k1, middle);
  const ops::Sum k3 = slope(step.z + 0.5 * h * k2, middle), k4 = slope(step.z + h * k3, step.next);
  return step.z + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4);
}

std::size_t OrderPolicy::at(std::size_t i, std::size_t gaps) const {
  const std::size_t all = gaps + (final == Final::kNone || lower == Lower::kAuthors ? 0 : 1), left = all - i;
  const bool falls = lower == Lower::kAlways || (lower == Lower::kDiffusers && all < 15) ||
                     (lower == Lower::kAuthors && all < 10) || (lower == Lower::kLast && left == 1);
  const std::size_t known = std::min(order, i + 1);
  return falls ? std::min(known, left) : known;
}

OrderPolicy read_order_policy(Options& options, std::int64_t order, std::string_view lower) {
  OrderPolicy policy{.order = static_cast<std::size_t>(order)};
  policy.runge_kutta =
      options.choice("warm_up", "lower", {"lower", "runge_kutta"},
                     "first steps: of lower order, or Runge-Kutta steps (3 evaluations more each)") == "runge_kutta";
  const std::string name = options.choice(
      "lower_order_final", lower, {"never", "always", "diffusers", "authors", "last"},
      "whether the order falls at the end: in runs below 15 (diffusers) or 10 steps (authors), in the last step");
  using Lower = OrderPolicy::Lower;
  policy.lower = name == "always"      ? Lower::kAlways
                 : name == "diffusers" ? Lower::kDiffusers
                 : name == "authors"   ? Lower::kAuthors
                 : name == "last"      ? Lower::kLast
                                       : Lower::kNever;
  policy.final = final_step(options);
  return policy;
}

Sampler multistep(MultistepMethod method) {
  return [method = std::move(method)](const Denoiser& D, const NoiseSchedule& schedule, const TimeGrid& grid,
                                      const Tensor& x, NoiseSource& noise) -> Tensor {
    const OrderPolicy& orders = method.orders;
    const std::size_t N = grid.t.size(), count = method.to_zero ? N : N - 1;
    Tensor z = unscaled(schedule, x, grid.t.front());
    MultistepStep step;
    History past;
    for (std::size_t i = 0; i < count; ++i) {
      const MultistepStep before = std::exchange(step, {.schedule = &schedule, .t = grid.t[i], .z = z});
      step.sigma = schedule.sigma(step.t), step.D = D(z, step.sigma), step.order = orders.at(i, N - 1);
      if (i + 1 < N) step.u = grid.t[i + 1], step.next = schedule.sigma(step.u);
      const Past now = method.value(step);
      if (method.correct && i > 0 && !orders.starts(i - 1)) step.z = Tensor(method.correct(before, past, now));
      remember(past, now, orders.order);
      z = orders.starts(i) && step.next > 0 ? runge_kutta_step(D, step) : method.update(step, past, noise);
    }
    if (method.to_zero) return z;
    return finish(D, schedule, schedule.scale(grid.t.back()) * ops::Sum(z), grid.t.back(), orders.final);
  };
}

}  // namespace edmund
