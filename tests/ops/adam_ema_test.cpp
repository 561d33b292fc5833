#include "edmund/ops/ops.h"
#include "support/catch.h"

#include <ATen/ATen.h>
#include <cmath>
#include <limits>
#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>

using namespace edmund;

namespace {

constexpr std::int64_t kSize = 257;

Tensor series(std::int64_t seed, at::ScalarType dtype) {
  const Tensor i = at::arange(kSize, dtype) + static_cast<double>(seed) * 0.37;
  return at::sin(i * 1.7) + 0.3 * at::cos(i * i);
}

struct State {
  Tensor p, g, m, v;
  std::vector<Tensor> ema;

  explicit State(at::ScalarType dtype, int copies = 0)
      : p(series(0, dtype)), g(at::zeros_like(p)), m(at::zeros_like(p)), v(at::zeros_like(p)) {
    for (int i = 0; i < copies; ++i) ema.push_back(p.clone());
  }
  void step(const ops::AdamStep& args) { ops::adam_ema(p, {{0, g}}, m, v, ema, args); }
};

}  // namespace

TEST_CASE("adam_ema follows torch::optim::Adam and AdamW", "[ops]") {
  const double decay = GENERATE(0.0, 0.05);
  const auto dtype = GENERATE(at::kDouble, at::kFloat);
  // a few roundings of numbers near 1
  const double tolerance = dtype == at::kDouble ? 1e-14 : 1e-6;

  State ours(dtype);
  Tensor theirs = ours.p.clone().requires_grad_();
  const torch::optim::AdamWOptions settings =
      torch::optim::AdamWOptions(3e-2).betas({0.8, 0.95}).eps(1e-6).weight_decay(decay);
  torch::optim::AdamW adamw({theirs}, settings);
  torch::optim::Adam adam({theirs}, torch::optim::AdamOptions(3e-2).betas({0.8, 0.95}).eps(1e-6));
  for (std::int64_t step = 1; step <= 20; ++step) {
    const Tensor gradient = series(step, dtype) * std::pow(10.0, static_cast<double>(step % 5 - 2));
    theirs.mutable_grad() = gradient.clone();
    ours.g.copy_(gradient);
    if (decay > 0) {
      adamw.step();
    } else {
      adam.step();
    }
    ours.step({.learning_rate = 3e-2, .beta1 = 0.8, .beta2 = 0.95, .eps = 1e-6, .weight_decay = decay, .step = step});
    REQUIRE((ours.p - theirs).abs().max().item<double>() < tolerance);
  }
}

TEST_CASE("The first step of Adam moves each parameter by the learning rate against its gradient", "[ops]") {
  State state(at::kDouble);
  const Tensor before = state.p.clone();
  state.g.copy_(series(3, at::kDouble));
  const Tensor direction = state.g.sign();
  state.step({.learning_rate = 0.01, .eps = 0.0});
  CHECK((state.p - (before - 0.01 * direction)).abs().max().item<double>() < 1e-15);
}

TEST_CASE("Each EMA copy is lerp(parameters, copy, its decay) after the step", "[ops]") {
  State state(at::kDouble, 3);
  for (std::int64_t step = 1; step <= 3; ++step) {
    const auto before = std::vector<Tensor>{state.ema[0].clone(), state.ema[1].clone(), state.ema[2].clone()};
    state.g.copy_(series(step, at::kDouble));
    state.step({.learning_rate = 0.1, .step = step, .ema_beta = {0.0, 0.9, 1.0}});
    CHECK(state.ema[0].equal(state.p));
    CHECK((state.ema[1] - (0.1 * state.p + 0.9 * before[1])).abs().max().item<double>() < 1e-15);
    CHECK(state.ema[2].equal(before[2]));
  }
}

TEST_CASE("Non-finite gradients are replaced as asked, before the gradient is scaled", "[ops]") {
  const double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  State ours(at::kDouble), clean(at::kDouble);
  ours.g.copy_(series(2, at::kDouble));
  clean.g.copy_(ours.g);
  ours.g[0] = nan, ours.g[1] = inf, ours.g[2] = -inf;
  clean.g[0] = 0.0, clean.g[1] = 1e5, clean.g[2] = -1e5;
  clean.g.mul_(0.25);
  ours.step({.zero_nonfinite = true, .gradient_scale = 0.25});
  clean.step({});
  CHECK(ours.p.equal(clean.p));
  CHECK(ours.m.equal(clean.m));

  State dirty(at::kDouble);
  dirty.g[0] = nan;
  dirty.step({});
  CHECK(std::isnan(dirty.p[0].item<double>()));
}
