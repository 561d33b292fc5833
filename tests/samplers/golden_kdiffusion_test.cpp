// k-diffusion: every sampler of its sampling module, evaluation by evaluation, and the step counts
// of the adaptive one.
#include "edmund/core/error.h"
#include "edmund/samplers/sampler.h"
#include "samplers/noise.h"
#include "schedules/cases.h"
#include "support/catch.h"
#include "support/device.h"
#include "support/golden.h"
#include "support/mixture.h"

#include <algorithm>
#include <ATen/ops/empty.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <iostream>
#include <map>
#include <regex>

namespace edmund::testing {
namespace {

// The likelihood's own tests serve these.
const std::vector<std::string> kLikelihood{"log_likelihood.*"};

// A case of the file: "sample_NAME n=… {settings}".
struct Case {
  std::string name, function;
  std::int64_t n = 0;
  nlohmann::json settings = nlohmann::json::object();

  Case(std::string key, std::string text) : name(std::move(key)) {
    std::replace(text.begin(), text.end(), '\'', '"');
    std::smatch m;
    require(std::regex_match(text, m, std::regex(R"(sample_(\w+)(?: n=(\d+))?(?: (\{.*\}))?)")),
            "golden: the case {} is not a call of a sampler: {}", name, text);
    function = m[1];
    if (m[2].matched) n = std::stoll(m[2]);
    if (m[3].matched) settings = nlohmann::json::parse(m[3].str());
  }
};

// The reference's functions under our names, with what is its default and not ours.
const std::map<std::string, std::string> kSamplers{{"euler", "euler"},
                                                   {"heun", "heun"},
                                                   {"dpm_2", "dpm_2"},
                                                   {"euler_ancestral", "euler_ancestral"},
                                                   {"dpm_2_ancestral", "dpm_2_ancestral"},
                                                   {"lms", "lms, to_zero: true"},
                                                   {"dpm_fast", "dpm_solver, final: none"},
                                                   {"dpm_adaptive", "dpm_adaptive, final: none, error: batch"},
                                                   {"dpmpp_2s_ancestral", "dpmpp_2s"},
                                                   {"dpmpp_sde", "dpmpp_sde"},
                                                   {"dpmpp_2m", "dpmpp_2m"},
                                                   {"dpmpp_2m_sde", "dpmpp_2m_sde"},
                                                   {"dpmpp_3m_sde", "dpmpp_3m_sde"}};
const std::map<std::string, std::string> kOptions{
    {"s_churn", "S_churn"},     {"s_tmin", "S_min"},  {"s_tmax", "S_max"},
    {"s_noise", "S_noise"},     {"eta", "eta"},       {"r", "r"},
    {"order", "order"},         {"rtol", "rtol"},     {"atol", "atol"},
    {"solver_type", "variant"}, {"h_init", "h"},      {"pcoeff", "pcoeff"},
    {"icoeff", "icoeff"},       {"dcoeff", "dcoeff"}, {"accept_safety", "accept_safety"}};

std::string sampler_of(const Case& run) {
  require(kSamplers.contains(run.function), "golden: unknown sampler '{}'", run.function);
  std::string yaml = "{type: " + kSamplers.at(run.function);
  if (run.function == "dpmpp_2s_ancestral" && !run.settings.contains("eta")) yaml += ", eta: 1";
  if (run.n > 0) yaml += run.n % 3 == 0 ? ", ending: [2, 1]" : ", ending: [" + std::to_string(run.n % 3) + "]";
  for (const auto& [key, value] : run.settings.items()) {
    require(kOptions.contains(key), "golden: case {} has the unknown setting '{}'", run.name, key);
    yaml += ", " + kOptions.at(key) + ": " +
            (value.is_string() ? value.get<std::string>() : number_text(value.get<double>()));
  }
  return yaml + "}";
}

// Tries and accepted tries of the adaptive sampler: each starts with an evaluation at the σ that
// was reached.
void check_counts(Golden& golden, const std::string& name, const std::vector<Evaluation>& trace, std::int64_t order) {
  std::int64_t accepted = 0, tries = 0;
  for (std::size_t i = 0; i < trace.size(); i += static_cast<std::size_t>(order), ++tries)
    accepted += i == 0 || trace[i].sigma != trace[i - static_cast<std::size_t>(order)].sigma;
  golden.check_equal(name, at::tensor({tries, static_cast<std::int64_t>(trace.size()), accepted, tries - accepted}));
}

void check_case(Golden& golden, const Case& run) {
  const bool fast = run.function == "dpm_fast", adaptive = run.function == "dpm_adaptive";
  const auto tolerance =
      number_in(golden.about().at("tolerance").get<std::string>(), adaptive                ? "adaptive: rel ([-.0-9e]+)"
                                                                   : run.function == "lms" ? "lms ([-.0-9e]+)"
                                                                                           : "fp64: rel ([-.0-9e]+)");
  std::vector<double> sigmas = golden.reals("sigmas");
  require(sigmas.back() == 0.0, "golden {}: the grid does not end with 0", golden.name());
  sigmas.pop_back();  // `final` is the step to 0
  const auto schedule = schedule_of("{type: edm}");
  TimeGrid grid{sigmas};
  if (fast) {
    const std::string ends =
        ", sigma_max: " + number_text(sigmas.front()) + ", sigma_min: " + number_text(sigmas.back());
    grid = made(make_grid, "{type: log_snr, steps: " + std::to_string(run.n / 3 + 2) + ends + "}", *schedule,
                Interval{0.0, 1e300});
  }

  const bool draws = golden.has(run.name + ".noise");
  ReplayedNoise noise(draws ? golden.real(run.name + ".noise") : at::empty({0}, at::kDouble));
  const auto trace = std::make_shared<std::vector<Evaluation>>();
  const Tensor x = made(make_sampler, sampler_of(run))(recorded(Mixture::from(golden).denoiser(), trace), *schedule,
                                                       grid, golden.real("x_init"), noise);
  golden.check_max(run.name + ".out", x, tolerance);
  golden.check(run.name + ": every draw is used", !draws || noise.used() == golden.use(run.name + ".noise").size(0));
  if (fast) golden.check(run.name + ": evaluations", std::ssize(*trace) == run.n);
  if (adaptive)
    check_counts(golden, run.name + ".steps_nfe_accept_reject", *trace, run.settings.value("order", std::int64_t{3}));
  if (!golden.has(run.name + ".eval_x")) return;
  std::vector<Tensor> z;
  std::vector<double> sigma;
  for (const auto& evaluation : *trace) z.push_back(evaluation.z), sigma.push_back(evaluation.sigma);
  golden.check_max(run.name + ".eval_x", at::stack(z), tolerance);
  golden.check_max(run.name + ".eval_sigma", at::tensor(sigma), tolerance);
}

}  // namespace

TEST_CASE("our samplers are k-diffusion's, evaluation by evaluation", "[golden][samplers]") {
  const TestDevice device;
  for_each_golden(
      {"kdiffusion_samplers_"},
      [](Golden& golden) {
        for (const auto& [name, call] : golden.settings().at("cases").items())
          check_case(golden, Case(name, call.get<std::string>()));
        std::cout << "golden " << golden.name() << ": " << golden.names("log_likelihood.").size()
                  << " tensors of log_likelihood are left to the likelihood's test\n";
      },
      kLikelihood);
}

}  // namespace edmund::testing
