#include "edmund/core/error.h"
#include "edmund/diffusion/preconditioning.h"
#include "edmund/schedules/noise_schedule.h"
#include "support/catch.h"
#include "support/golden.h"
#include "support/wrappers.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <cmath>

using namespace edmund;
using testing::Golden;

namespace {

// One wrapper class with one set of arguments in one precision; `prefix` of its tensors ends in a
// dot.
class Case {
 public:
  Case(Golden& golden, std::string wrapper, std::string prefix, nlohmann::json settings, at::ScalarType dtype)
      : golden_(golden),
        name_(std::move(wrapper)),
        prefix_(std::move(prefix)),
        settings_(std::move(settings)),
        single_(dtype == at::kFloat),
        ours_(testing::wrapper(name_, settings_)),
        sigma_(golden.real("sigma").to(dtype)) {}

  void check() {
    const auto c = ours_.edm(sigma_);
    max("c_skip", c.skip);
    max("c_out", c.out);
    max("c_in", c.in);
    // In single precision the reference's vp time cancels at small σ.
    if (single_ && name_ == "VPPrecond") {
      golden_.check_each(prefix_ + "c_noise", c.noise, relative(), 5e-2);
    } else {
      max("c_noise", c.noise);
    }
    const double high = std::min(ours_.sigmas.high, 1e30);  // 1e30 stands for infinity
    max("sigma_min_max", at::tensor({ours_.sigmas.low, high}, at::kDouble));
    Tensor rounded = sigma_.to(at::kDouble).clone();
    for (std::int64_t i = 0; i < rounded.numel(); ++i) rounded[i] = ours_.round(rounded[i].item<double>());
    max("round_sigma", rounded);
    if (name_ == "VPPrecond") vp(c.noise);
    if (name_ == "iDDPMPrecond") iddpm(c.noise);
  }

 private:
  double relative() const { return single_ ? 1e-5 : 1e-12; }
  void max(const std::string& what, const Tensor& ours, double tolerance = 0) {
    golden_.check_max(prefix_ + what, ours, std::max(tolerance, relative()));
  }

  // The functions σ(t) and t(σ) of the class: the vp schedule's, and c_noise over M - 1.
  void vp(const Tensor& noise) {
    const double beta_min = settings_.value("beta_min", 0.1), beta_d = settings_.value("beta_d", 19.9);
    Options options = testing::options_of({{"type", "vp"},
                                           {"beta_min", beta_min},
                                           {"beta_max", beta_min + beta_d},
                                           {"t_min", settings_.value("epsilon_t", 1e-5)}});
    const auto path = make_schedule(options);
    options.finish();
    std::vector<double> sigmas;
    for (const double t : golden_.reals(prefix_ + "t"))
      sigmas.push_back(path->sigma(std::clamp(t, path->times().low, path->times().high)));
    max("sigma_of_t", at::tensor(sigmas, at::kDouble));
    const Tensor t = noise / (settings_.value("M", 1000.0) - 1);
    if (single_) {
      golden_.check_each(prefix_ + "sigma_inv_of_sigma", t, relative(), 5e-2 / (settings_.value("M", 1000.0) - 1));
    } else {
      max("sigma_inv_of_sigma", t);
    }
  }

  void iddpm(const Tensor& noise) {
    std::vector<double> u(ours_.rounding.rbegin(), ours_.rounding.rend());  // u_0 > … > u_M = 0
    max("u", at::tensor(u, at::kDouble), 1e-10);
    const auto M = static_cast<double>(u.size()) - 1;
    golden_.check_equal(prefix_ + "round_index", M - 1 - noise.to(at::kDouble));
  }

  Golden& golden_;
  std::string name_, prefix_;
  nlohmann::json settings_;
  bool single_;
  Preconditioning ours_;
  Tensor sigma_;
};

}  // namespace

TEST_CASE("NVlabs/edm's four wrappers are rows of our table", "[diffusion][golden]") {
  testing::for_each_golden({"precond_"}, [](Golden& golden) {
    for (const auto& [wrapper, list] : golden.settings().items()) {
      for (const auto& item : list) {
        const auto text = item.get<std::string>(), version = text.substr(0, text.find(':'));
        const std::string prefix = wrapper + "." + version + ".";
        require(!golden.names(prefix).empty(), "no tensors for '{}'", prefix);
        Case(golden, wrapper, prefix + "fp32.", testing::case_settings(item), at::kFloat).check();
        Case(golden, wrapper, prefix + "fp64.", testing::case_settings(item), at::kDouble).check();
      }
    }
  });
}
