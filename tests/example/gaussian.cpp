// Samples data ~ N(0, 1/4), whose denoiser and whose ODE's solution are known in closed form.
#include <ATen/ATen.h>
#include <cmath>
#include <edmund/samplers/sampler.h>
#include <iostream>

int main() {
  using namespace edmund;
  Options config = Options::read_text("{schedule: vp, grid: karras, sampler: heun}", "example");
  Options clock = config.child("schedule"), times = config.child("grid");
  Options solver = config.child("sampler");
  const auto schedule = make_schedule(clock);         // s(t) and σ(t) of Song et al. 2021
  const TimeGrid grid = make_grid(times, *schedule);  // Karras et al. 2022: dense at small σ
  const Sampler sample = make_sampler(solver);
  config.finish();  // throws Error, with line and column, for anything wrong above

  const auto gain = [](double sigma) { return 0.25 / (0.25 + sigma * sigma); };
  const Denoiser D = [&](const Tensor& z, double sigma) { return z * gain(sigma); };
  PhiloxNoise noise(/*seed=*/0, /*images=*/{0, 1, 2, 3}, at::kDouble, at::kCPU);
  const Tensor x = initial_state(*schedule, grid, noise, {3, 32, 32});  // [4, 3, 32, 32]
  const Tensor images = sample(D, *schedule, grid, x, noise);

  const double t = grid.t.front(), s = schedule->scale(t), sigma = schedule->sigma(t);
  const Tensor exact = x / s * std::sqrt(gain(sigma));
  const double error = (images - exact).square().mean().sqrt().item<double>();
  std::cout << "Heun, 18 steps: " << error << " from the exact solution (root mean square)\n";
  return error < 0.01 ? 0 : 1;
}
