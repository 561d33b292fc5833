// What an optimizer's step must not lose to float32: rates 1 - β far below 1, and updates below
// half a unit in the last place.
#include "edmund/ops/graph.h"
#include "every_table.h"

#include <ATen/ATen.h>
#include <cmath>

namespace edmund::testing {
namespace {

constexpr std::int64_t kSize = 1031;

struct Run {
  Tensor p, g, m, v;
  std::vector<Tensor> ema, rests;

  explicit Run(const Tensor& start, at::ScalarType dtype, bool with_rest)
      : p(start.to(dtype, false, true)), g(at::zeros_like(p)), m(at::zeros_like(p)), v(at::zeros_like(p)) {
    ema.push_back(p.clone());
    if (with_rest) rests.push_back(at::zeros_like(p));
  }
  void step(const ops::AdamStep& args) { ops::adam_ema(p, {{0, g}}, m, v, ema, args, {.ema_rests = rests}); }
};

// Numbers that float32 holds.
Tensor single(const Tensor& x) { return x.to(at::kFloat).to(at::kDouble); }

// The largest error of the EMA over a path of parameters that goes to and fro, far and near.
double path_error(double beta, std::int64_t updates, bool with_rest) {
  const Tensor start = single(random({kSize}, 1)), target = single(start + 0.3 * random({kSize}, 2));
  Run run(start, at::kFloat, with_rest);
  Tensor truth = start.clone();
  for (std::int64_t step = 1; step <= updates; ++step) {
    const Tensor p = single(start + (target - start) * std::sin(0.013 * static_cast<double>(step)));
    run.p.copy_(p);
    run.step({.learning_rate = 0.0, .step = step, .ema_beta = {beta}});
    truth = beta * truth + (1 - beta) * p;
  }
  return ((run.ema[0].to(at::kDouble) - truth) / truth.abs().clamp_min(1.0)).abs().max().item<double>();
}

// Runs body with the reference, then with every instruction set.
template <typename Body>
void everywhere(const Body& body) {
  body();
  on_every_table(body);
}

}  // namespace

TEST_CASE("an EMA moves by 1 - β of the way, however close β is to 1", "[ops]") {
  everywhere([] {
    for (const double beta : {0.0, 0.3, 0.5, 0.9, 0.999, 0.9999, 0.99999, 0.999999, 0.99999999}) {
      Run run(at::ones({kSize}), at::kFloat, false);
      run.ema[0].zero_();
      run.step({.learning_rate = 0.0, .ema_beta = {beta}});
      INFO("β = " << beta);
      CHECK(((run.ema[0].to(at::kDouble) - (1 - beta)).abs() <= 2e-7 * (1 - beta)).all().item<bool>());
    }
  });
}

TEST_CASE("long EMAs follow float64", "[ops]") {
  everywhere([] {
    for (const double beta : {0.999, 0.9999, 0.99999, 0.999999}) {
      INFO("β = " << beta);
      // 30 roundings of half a unit in the last place, 2^-24 relative.
      CHECK(path_error(beta, 30, false) < 1e-6);
      CHECK(path_error(beta, 30, true) < 2e-7);
      CHECK(path_error(beta, 3000, true) < 2e-7);
    }
  });
}

TEST_CASE("an EMA does not stall where its updates are below half a unit in the last place", "[ops]") {
  everywhere([] {
    const Tensor start = at::full({kSize}, 1.0, at::kDouble);
    const double away = 1e-3, beta = 0.999999;
    Run kept(start + away, at::kFloat, true), lost(start + away, at::kFloat, false);
    for (Run* run : {&kept, &lost}) {
      const double from = run->ema[0][0].item<double>();
      for (std::int64_t step = 1; step <= 3000; ++step) {
        run->p.copy_(start);
        run->step({.learning_rate = 0.0, .step = step, .ema_beta = {beta}});
      }
      const double moved = from - run->ema[0][kSize - 1].item<double>(), due = (from - 1) * (1 - std::pow(beta, 3000));
      INFO("moved by " << moved << " of " << due);
      // a unit in the last place above 1
      CHECK((std::abs(moved - due) < 1.2e-7) == (run == &kept));
    }
  });
}

TEST_CASE("the rest of an EMA changes nothing where β asks for the parameters themselves", "[ops]") {
  everywhere([] {
    Run run(random({kSize}, 1), at::kFloat, true);
    run.ema[0].copy_(random({kSize}, 2));
    run.rests[0].fill_(1e-9);
    run.step({.learning_rate = 0.1, .ema_beta = {0.0}});
    CHECK(run.ema[0].equal(run.p));
    CHECK(run.rests[0].eq(0).all().item<bool>());
  });
}

TEST_CASE("equal gradients leave a second moment that has their square, however close β2 is to 1", "[ops]") {
  everywhere([] {
    Run run(at::zeros({kSize}), at::kFloat, false);
    run.g.fill_(0.7);
    run.v.copy_(run.g.square());
    const Tensor before = run.v.clone();
    for (std::int64_t step = 1; step <= 1000; ++step)
      run.step({.learning_rate = 0.0, .beta2 = 0.999999, .step = step, .ema_beta = {0.5}});
    CHECK(((run.v - before).abs() <= 2e-7 * before).all().item<bool>());
  });
}

TEST_CASE("weights decay by learning rate times decay, also where that is near the spacing at 1", "[ops]") {
  everywhere([] {
    const Tensor start = 1 + random({kSize}, 1).abs();
    Run run(start, at::kFloat, false);
    run.step({.learning_rate = 1e-4, .weight_decay = 0.01, .ema_beta = {0.5}});
    const double share = ((start.to(at::kFloat).to(at::kDouble) - run.p.to(at::kDouble)) / start).mean().item<double>();
    // Each weight is rounded by 0.3 units of 1.2e-7, and there are a thousand.
    CHECK(std::abs(share - 1e-6) < 5 * 0.3 * 1.2e-7 / std::sqrt(kSize));
  });
}

}  // namespace edmund::testing
