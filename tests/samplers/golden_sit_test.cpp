// SiT's interpolants: its Linear, GVP and VP paths are our schedules flow, cosine and vp, its time
// 1 - t of ours. Coefficients, the path, what the network may learn and how one is turned into
// another, the SDE's drift and diffusion, losses.
#include "edmund/diffusion/loss_weight.h"
#include "edmund/diffusion/model.h"
#include "edmund/samplers/velocity.h"
#include "samplers/noise.h"
#include "schedules/cases.h"
#include "support/catch.h"
#include "support/golden.h"
#include "support/mixture.h"
#include "support/oracle.h"

#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <functional>
#include <map>

namespace edmund::testing {
namespace {

constexpr double kDouble = 1e-11;  // of max|reference|, as the file suggests

struct Path {
  std::string schedule;       // ours
  std::string velocity = "";  // the preconditioning whose F is SiT's velocity, if we have one
  std::string time = "";      // the noise_input that is its time
  bool variance_kept = true;  // α² + σ² = 1, so that a network of ε sees what our `eps` shows it
};
const std::map<std::string, Path> kPaths = {
    {"Linear",
     {.schedule = "{type: flow, t_min: 1e-9, t_max: 0.999999999}",
      .velocity = "type: flow, towards: data",
      .time = "{type: flow, reversed: true}",
      .variance_kept = false}},
    {"GVP",
     {.schedule = "{type: cosine, t_min: 1e-9, t_max: 0.999999999}",
      .velocity = "type: v, factor: -1.5707963267948966",
      .time = "{type: cosine, reversed: true}"}},
    {"VP", {.schedule = "{type: vp, t_min: 1e-9}"}},
};

// One path of the file: everything at its times t, of data x1 and noise x0.
class Checks {
 public:
  Checks(Golden& golden, const std::string& name, const Path& path)
      : golden_(golden),
        name_(name),
        path_(path),
        schedule_(schedule_of(path.schedule)),
        mixture_(Mixture::from(golden)),
        data_(golden.real("x1")),
        noise_(golden.real("x0")) {
    for (const double t : golden.reals("t")) t_.push_back(1 - t);
  }

  void run() {
    coefficients();
    predictions();
    sde();
    losses();
  }

 private:
  double s(double t) const { return schedule_->scale(t); }
  double std(double t) const { return s(t) * schedule_->sigma(t); }
  double std_rate(double t) const {
    return schedule_->scale_rate(t) * schedule_->sigma(t) + s(t) * schedule_->sigma_rate(t);
  }
  // Half of g² = 2 s²σσ̇.
  double half_square(double t) const { return 0.5 * std::pow(diffusion(*schedule_, t), 2); }

  // f at each time, [B, 1, 1, 1] or [B, C, H, W].
  Tensor each(const std::function<double(double t)>& f) const {
    std::vector<double> out;
    for (const double t : t_) out.push_back(f(t));
    return at::tensor(out).reshape({-1, 1, 1, 1});
  }
  Tensor images(const std::function<Tensor(std::int64_t i, double t)>& f) const {
    std::vector<Tensor> out;
    for (std::size_t i = 0; i < t_.size(); ++i) out.push_back(f(static_cast<std::int64_t>(i), t_[i]));
    return at::cat(out);
  }
  void check(const std::string& what, const Tensor& ours) {
    golden_.check_max(name_ + "." + what, ours.numel() == std::ssize(t_) ? ours.reshape(shape(what)) : ours, kDouble);
  }
  at::IntArrayRef shape(const std::string& what) const { return golden_.use(name_ + "." + what).sizes(); }

  void coefficients() {
    check("alpha", each([&](double t) { return s(t); }));
    check("sigma", each([&](double t) { return std(t); }));
    check("d_alpha", each([&](double t) { return -schedule_->scale_rate(t); }));
    check("d_sigma", each([&](double t) { return -std_rate(t); }));
    check("d_alpha_over_alpha", each([&](double t) { return -schedule_->scale_rate(t) / s(t); }));
    x_ = images(
        [&](std::int64_t i, double t) { return s(t) * (data_[i] + schedule_->sigma(t) * noise_[i]).unsqueeze(0); });
    check("x_t", x_);
    check("u_t", images([&](std::int64_t i, double t) {
            return -(schedule_->scale_rate(t) * data_[i] + std_rate(t) * noise_[i]).unsqueeze(0);
          }));
  }

  void predictions() {
    const Tensor x = golden_.real(name_ + ".x_t");
    // Of the mixture, and of x1 alone, whose D is x1 everywhere.
    const Denoiser all = mixture_.denoiser();
    for (const bool of_all : {true, false}) {
      const auto D = [&](std::int64_t i) -> Denoiser {
        if (of_all) return all;
        return [this, i](const Tensor&, double) { return data_.slice(0, i, i + 1); };
      };
      const Tensor velocities = images(
          [&](std::int64_t i, double t) { return -Tensor(velocity(D(i), *schedule_, x.slice(0, i, i + 1), t)); });
      const Tensor noises = images([&](std::int64_t i, double t) {
        const Tensor one = x.slice(0, i, i + 1);
        return (one - s(t) * denoised(D(i), *schedule_, one, t)) / std(t);
      });
      check(of_all ? "pred.velocity" : "velocity_from_score", velocities);
      check(of_all ? "pred.noise" : "noise_from_velocity", noises);
      check(of_all ? "pred.score" : "score_from_velocity", -noises / each([&](double t) { return std(t); }));
    }
    if (path_.velocity.empty()) return;
    // F of the preconditioning is that velocity, and its noise input SiT's time.
    const auto p = made(make_preconditioning, "{" + path_.velocity + ", noise_input: " + path_.time + "}");
    const Tensor sigma = each([&](double t) { return schedule_->sigma(t); });
    const auto c = p.edm(sigma.reshape(-1));
    const Tensor z = x / each([&](double t) { return s(t); });
    check("pred.velocity", (mixture_of(z, sigma) - c.skip * z) / c.out);
    golden_.check_max_of(name_ + ": the network's input", c.in * z, x, kDouble);
    golden_.check_max_of(name_ + ": the network's time", c.noise, golden_.real("t"), kDouble);
  }
  Tensor mixture_of(const Tensor& z, const Tensor& sigma) const { return mixture_.denoised(z, sigma.reshape(-1)); }

  // dx = f·x dt + g dw towards the noise, and the shares of fresh noise that are functions of the
  // path; the others are functions of t alone, which no sampler here has.
  void sde() {
    const double norm = golden_.settings().at("norm").get<double>();
    const Tensor x = golden_.real(name_ + ".x_t");
    check("drift", each([&](double t) { return schedule_->scale_rate(t) / s(t); }) * x);
    check("drift_variance", each([&](double t) { return half_square(t); }));
    check("diffusion.SBDM", norm * each([&](double t) { return half_square(t); }));
    check("diffusion.sigma", norm * each([&](double t) { return std(t); }));
  }

  // Mean squares over an image, at the stored noise.
  void losses() {
    const Tensor sigma = each([&](double t) { return schedule_->sigma(t); }).reshape(-1);
    const auto loss = [&](const std::string& yaml) {
      const auto p = made(make_preconditioning, yaml);
      const auto oracle = std::make_shared<Oracle>(mixture_, p);
      oracle->sigma = sigma;
      const DenoisingModel model(oracle, p, made(make_loss_weight, "{type: unit}"));
      return model.loss(data_, noise_, sigma, {}).mean({1, 2, 3});
    };
    // A score times -σ is ε: their losses are one.
    const Tensor eps = loss("{type: eps}"), half = each([&](double t) { return half_square(t); }).reshape(-1),
                 std_t = each([&](double t) { return std(t); }).reshape(-1);
    for (const std::string what : {"loss.noise.", "loss.score."}) {
      check(what + "none", eps);
      check(what + "velocity", (half / std_t).square() * eps);
      check(what + "likelihood", half / std_t.square() * eps);
    }
    // u - F = dx/dt of the path's error: (ds/dt - (s/(sσ))·d(sσ)/dt)(D - x0) = -s·(σ̇/σ)·(D - x0)
    if (path_.velocity.empty()) {
      const Tensor share = each([&](double t) { return s(t) * schedule_->sigma_rate(t); }).reshape(-1);
      check("loss.velocity.none", share.square() * eps);
    } else {
      check("loss.velocity.none", loss("{" + path_.velocity + "}"));
    }
  }

  Golden& golden_;
  std::string name_;
  const Path& path_;
  std::shared_ptr<const NoiseSchedule> schedule_;
  Mixture mixture_;
  Tensor data_, noise_, x_;
  std::vector<double> t_;
};

}  // namespace

TEST_CASE("SiT's paths are flow, cosine and vp, with all that follows from them", "[golden][samplers]") {
  for_each_golden({"sit_interpolants"},
                  [](Golden& golden) {
                    for (const auto& [key, value] : golden.settings().items())
                      require(key == "batch" || key == "norm" || key == "train_eps" || key == "sample_eps" ||
                                  key == "last_step_size",
                              "golden: unknown setting {}", key);
                    for (const std::string& name : golden.parts()) {
                      if (name == "mixture" || name == "t" || name == "x0" || name == "x1") continue;
                      const auto path = kPaths.find(name);
                      require(path != kPaths.end(), "golden: unknown path '{}'", name);
                      Checks(golden, name, path->second).run();
                    }
                  },
                  // ends of the clock that its trainer and samplers take, and shares of fresh noise
                  // in t alone
                  {"*.intervals", "*.diffusion.constant", "*.diffusion.linear", "*.diffusion.decreasing",
                   "*.diffusion.inccreasing-decreasing"});
}

}  // namespace edmund::testing
