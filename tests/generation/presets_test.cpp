#include "edmund/generation/presets.h"

#include "edmund/core/error.h"
#include "edmund/diffusion/preconditioning.h"
#include "edmund/generation/sampling.h"
#include "samplers/noise.h"
#include "support/catch.h"
#include "support/golden.h"
#include "support/mixture.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/stack.h>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <regex>
#include <string>

namespace edmund::testing {
namespace {

// What a `sampling:` mapping gives for a network of any noise levels; throws Error with all
// mistakes in it.
Sampling sampling(const std::string& yaml, std::string* resolved = nullptr) {
  Options none, options = Options::read_text(yaml, "test");
  Sampling out = make_sampling(options, make_preconditioning(none));
  options.finish();
  if (resolved != nullptr) *resolved = options.resolved();
  return out;
}

std::string message(const std::string& yaml) {
  try {
    sampling(yaml);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

// Samples on the mixture with the draws of a case, from x.
struct Trajectory {
  std::vector<Tensor> z;  // seen by D
  Tensor end;

  Trajectory(const Sampling& sampling, const Mixture& mixture, const Tensor& x,
             Tensor draws = at::empty({0}, at::kDouble)) {
    const auto trace = std::make_shared<std::vector<Evaluation>>();
    ReplayedNoise noise(std::move(draws));
    end = sampling.sampler(recorded(mixture.denoiser(), trace), *sampling.schedule, sampling.grid, x, noise);
    for (const auto& evaluation : *trace) z.push_back(evaluation.z);
  }
};

// Whether the settings of a case, an object or a sentence of "name number", are EDM's for CIFAR-10.
bool is_default_edm(const nlohmann::json& settings) {
  std::map<std::string, double> found{{"num_steps", 18}, {"sigma_min", 0.002}, {"sigma_max", 80}, {"rho", 7}};
  const auto usual = found;
  if (settings.is_object()) {
    for (const auto& [name, value] : settings.items()) found[name] = value.is_number() ? value.get<double>() : NAN;
  } else {
    const auto text = settings.get<std::string>();
    const std::regex pair(R"((\w+) ([0-9][-+.e0-9]*))");
    for (auto m = std::sregex_iterator(text.begin(), text.end(), pair); m != std::sregex_iterator(); ++m)
      found[(*m)[1]] = std::stod((*m)[2]);
  }
  return found == usual;
}

// Runs `body`, which returns how many cases of a preset it found, on golden files: a file may have
// none (tests/samplers serves all cases), but not all of our own.
void for_each_case(const std::string& prefix, const std::function<int(Golden&)>& body) {
  int all = 0, files = 0;
  for_each_golden({prefix},
                  [&](Golden& golden) {
                    const int found = body(golden);
                    all += found, ++files;
                    if (found == 0) std::cout << "golden " << golden.name() << ": no case of the preset\n";
                    golden.check("cases of the preset were counted", found >= 0);
                  },
                  {"*"});
  if (all > 0) return;
  INFO(files << " files " << prefix << "* in " << golden_folder());
  CHECK(std::getenv("EDMUND_GOLDEN_DIR") != nullptr);
}

}  // namespace

TEST_CASE("every preset is a sampling mapping without mistakes, and its resolved form is the same", "[app]") {
  for (const auto& preset : preset_table()) {
    INFO(preset.name);
    std::string resolved;
    const Sampling made = sampling(format("preset: {}", preset.name), &resolved);
    CHECK(resolved.starts_with(format("preset: {}\n", preset.name)));
    const Sampling again = sampling(resolved);
    CHECK(again.grid.t == made.grid.t);
    CHECK(again.name == made.name);
    CHECK(again.clip.has_value() == made.clip.has_value());
  }
}

TEST_CASE("own keys lie above a preset's", "[app]") {
  const Sampling shorter = sampling("{preset: ddim-paper, grid: {steps: 20}}");
  CHECK(shorter.grid.t.size() == 20);
  CHECK(shorter.grid.t.front() == 951.0);  // still the paper's spacing
  std::string resolved;
  sampling("{preset: edm-imagenet64, grid: {steps: 5}, sampler: {type: ddim, eta: 0.3}}", &resolved);
  CHECK(resolved.find("S_churn") == std::string::npos);  // options of another sampler go with it
  CHECK(resolved.find("eta: 0.3") != std::string::npos);
  CHECK(message("{preset: ddim-papr}").find("ddim-paper") != std::string::npos);
  CHECK(message("{preset: ddim-paper, grid: {stps: 20}}").find("stps") != std::string::npos);
  const std::string bad = message("{preset: ddim-paper, grid: {steps: 2000}}");
  CHECK(bad.find("1000") != std::string::npos);
}

TEST_CASE("the paper's DDIM grids are those of its code", "[app]") {
  const auto entries = [](const std::string& yaml) {
    std::vector<double> out;
    const TimeGrid grid = sampling(yaml).grid;
    for (auto t = grid.t.rbegin(); t != grid.t.rend(); ++t) out.push_back(*t - 1);
    return out;
  };
  CHECK(entries("{preset: ddim-paper, grid: {steps: 5}}") == std::vector<double>{0, 200, 400, 600, 800});
  // int((√(0.8·1000)·k/4)²)
  CHECK(entries("{preset: ddim-paper-quadratic, grid: {steps: 5}}") == std::vector<double>{0, 50, 200, 450, 800});
}

TEST_CASE("score-sde-vp takes a thousand equal steps down to t = 0", "[app]") {
  const TimeGrid grid = sampling("{preset: score-sde-vp}").grid;
  for (const auto& [t, u] : steps(grid)) CHECK_THAT(t - u, Catch::Matchers::WithinAbs(1e-3, 1e-12));
  CHECK_THAT(grid.t.back(), Catch::Matchers::WithinAbs(1e-3, 1e-12));
}

TEST_CASE("edm-cifar10 and edm-imagenet64 are EDM's sampler, evaluation by evaluation", "[golden][app]") {
  for_each_case("sampler_edm_", [](Golden& golden) {
    const Mixture mixture = Mixture::from(golden);
    int cases = 0;
    const auto check = [&](const std::string& name, const std::string& yaml, bool draws) {
      const Sampling made = sampling(yaml);
      const double t = made.grid.t.front();
      const Tensor x = made.schedule->scale(t) * made.schedule->sigma(t) * golden.real("latents");
      const Trajectory found(made, mixture, x, draws ? golden.real(name + ".noise") : at::empty({0}, at::kDouble));
      golden.check_max(name + ".out", found.end, 1e-9);
      golden.check_max(name + ".eval_x", at::stack(found.z), 1e-9);
      ++cases;
    };
    const nlohmann::json churn{{"S_churn", 40}, {"S_min", 0.05}, {"S_max", 50}, {"S_noise", 1.003}};
    for (const auto& [name, settings] : golden.settings().items()) {
      // a run on a network's own levels
      if (!golden.has(name + ".out") || name.starts_with("round")) continue;
      if (is_default_edm(settings)) check(name, "{preset: edm-cifar10}", false);
      if (settings == churn) check(name, "{preset: edm-imagenet64, grid: {steps: 18}}", true);
    }
    return cases;
  });
}

TEST_CASE("ddim-paper is DDIM on the evenly spaced table, step by step", "[golden][app]") {
  for_each_case("scheduler_ddim", [](Golden& golden) {
    const nlohmann::json config{{"beta_schedule", "linear"},
                                {"clip_sample", false},
                                {"set_alpha_to_one", true},
                                {"timestep_spacing", "leading"}};
    int cases = 0;
    for (const auto& [name, settings] : golden.settings().items()) {
      const nlohmann::json step = settings.value("step", nlohmann::json::object());
      if (settings.at("config") != config || step.value("eta", 0.0) != 0.0) continue;
      // Where the steps do not divide the table, the reference walks to entries beside the grid's.
      const auto count = settings.at("num_inference_steps").get<std::int64_t>();
      if (1000 % count != 0) continue;
      const Sampling made = sampling(format("{preset: ddim-paper, grid: {steps: {}}}", count));
      const Tensor samples = golden.real(name + ".samples");
      const Trajectory found(made, Mixture::from(golden), samples[0]);
      std::vector<Tensor> states;
      for (std::size_t i = 0; i < found.z.size(); ++i)
        states.push_back(made.schedule->scale(made.grid.t[i]) * found.z[i]);
      states.push_back(found.end);
      golden.check_max_of(name + ", trajectory", at::stack(states), samples, 1e-4);
      ++cases;
    }
    return cases;
  });
}

}  // namespace edmund::testing
