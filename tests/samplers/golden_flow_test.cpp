// Rectified flow: interpolation, exact velocity, Euler and Heun trajectories, the exact end point,
// logit-normal times.
#include "edmund/diffusion/noise_levels.h"
#include "edmund/samplers/sampler.h"
#include "edmund/samplers/velocity.h"
#include "samplers/integrated.h"
#include "samplers/noise.h"
#include "samplers/score_sde_slope.h"
#include "schedules/cases.h"
#include "support/catch.h"
#include "support/device.h"
#include "support/golden.h"
#include "support/mixture.h"

#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <cmath>
#include <regex>

namespace edmund::testing {
namespace {

std::unique_ptr<NoiseSchedule> flow(double low, double high) {
  return schedule_of("{type: flow, t_min: " + number_text(low) + ", t_max: " + number_text(high) + "}");
}

// The reference hands its denoiser σ in float32.
Denoiser single_sigma(Denoiser D) {
  return [D = std::move(D)](const Tensor& z, double sigma) { return D(z, static_cast<float>(sigma)); };
}

void check_pairs(Golden& golden) {
  const auto schedule = flow(1e-9, 1 - 1e-9);
  const Denoiser D = single_sigma(Mixture::from(golden).denoiser());
  const Tensor x0 = golden.real("pair.x0"), eps = golden.real("pair.eps"), x_t = golden.real("pair.x_t");
  std::vector<Tensor> x, target, exact;
  std::int64_t i = 0;
  for (const double t : golden.reals("pair.t")) {
    const double s = schedule->scale(t), sigma = schedule->sigma(t), s_rate = schedule->scale_rate(t);
    x.push_back(s * (x0[i] + sigma * eps[i]));
    // d/dt of the line above
    target.push_back(s_rate * x0[i] + (s_rate * sigma + s * schedule->sigma_rate(t)) * eps[i]);
    exact.push_back(Tensor(velocity(D, *schedule, x_t.slice(0, i, i + 1), t))[0]);
    ++i;
  }
  golden.check_max("pair.x_t", at::stack(x), 1e-9);
  golden.check_max("pair.velocity_target", at::stack(target), 1e-9);
  golden.check_max("pair.exact_velocity", at::stack(exact), 1e-9);
}

// All N + 1 states of `sampler` on N uniform steps.
void check_states(Golden& golden, const std::string& name, const std::string& sampler, std::int64_t N) {
  const auto ends = golden.reals("sample.t_start_end");
  const auto schedule = flow(ends[1], ends[0]);
  TimeGrid grid;
  for (std::int64_t i = 0; i <= N; ++i)
    grid.t.push_back(std::lerp(ends[0], ends[1], static_cast<double>(i) / static_cast<double>(N)));
  const auto trace = std::make_shared<std::vector<Evaluation>>();
  NoNoise noise;
  const Tensor last = made(make_sampler, "{type: " + sampler + ", final: none}")(
      recorded(single_sigma(Mixture::from(golden).denoiser()), trace), *schedule, grid, golden.real("sample.z"), noise);
  const std::size_t evaluations = sampler == "heun" ? 2 : 1;
  std::vector<Tensor> states;
  for (std::size_t i = 0; i < trace->size(); i += evaluations)
    states.push_back(schedule->scale(grid.t[i / evaluations]) * (*trace)[i].z);
  states.push_back(last);
  golden.check_max(name, at::stack(states), 1e-9);
}

// SciPy's solve_ivp over the whole batch: its steps, one by one.
void check_rk45(Golden& golden, const NoiseSchedule& schedule, const std::vector<double>& ends) {
  const Denoiser D = Mixture::from(golden).denoiser();
  const Tensor z = golden.real("sample.z");
  const Solution solution =
      solved_as_one([&](double t, const Tensor& x) -> Tensor { return velocity(D, schedule, x, t); }, z, ends[0],
                    ends[1], stated_tolerance(golden.settings().at("rk45").get<std::string>()));
  golden.check_equal("sample.rk45_nfe_accepted", at::tensor({solution.evaluations, solution.accepted}));
  golden.check_max("sample.rk45", solution.y.reshape(z.sizes()), 1e-8);
}

}  // namespace

TEST_CASE("flow is rectified flow, with time running from noise to data", "[golden][samplers]") {
  const TestDevice device;
  for_each_golden({"rectified_flow_"}, [](Golden& golden) {
    if (golden.has("pair.x0")) check_pairs(golden);
    const std::regex states(R"(sample\.(euler|heun)(\d+))"), logit_normal(R"(logit_normal\.m([-.0-9]+)_s([.0-9]+))");
    for (const auto& name : golden.names()) {
      std::smatch m;
      if (std::regex_match(name, m, states)) check_states(golden, name, m[1], std::stoll(m[2]));
      if (!std::regex_match(name, m, logit_normal)) continue;
      const NoiseLevels levels =
          made(make_noise_levels, "{type: logit_normal, mean: " + m[1].str() + ", std: " + m[2].str() + "}");
      std::vector<double> times;
      for (const double u : golden.reals("logit_normal.q")) times.push_back(levels(u) / (1 + levels(u)));
      golden.check_each(name, times, 1e-9);
    }
    if (!golden.has("sample.z")) return;
    const auto ends = golden.reals("sample.t_start_end");
    const auto schedule = flow(ends[1], ends[0]);
    const Tensor exact =
        integrated(Mixture::from(golden).denoiser(), *schedule, golden.real("sample.z"), schedule->times(), 1200);
    golden.check_max("sample.exact", exact, 1e-9);
    if (golden.has("sample.rk45")) check_rk45(golden, *schedule, ends);
  });
}

}  // namespace edmund::testing
