// Golden files ema_*: decays and moving averages of three reference codes, and the learning rates
// of one.
#include "edmund/core/error.h"
#include "edmund/ops/graph.h"
#include "edmund/training/ema.h"
#include "edmund/training/learning_rate.h"
#include "golden_training_settings.h"
#include "support/catch.h"
#include "support/golden.h"

#include <ATen/ops/stack.h>
#include <ATen/ops/zeros_like.h>
#include <functional>
#include <regex>
#include <set>

using namespace edmund;
using namespace edmund::testing;
using nlohmann::json;

namespace {

/// An EMA built from its config, as a run builds it.
EmaDecay ema_from(const json& config) {
  Options options = Options::read_text(config.dump(), "golden settings");
  EmaDecay decay = make_ema(options);
  options.finish();
  return decay;
}

/// EMA of parameters that are forced along `path` [N + 1, D], by the optimizer's own update at
/// learning rate 0: [N, D].
Tensor averages(const Tensor& path, const std::function<double(std::int64_t)>& beta_of_step) {
  Tensor gradient = at::zeros_like(path[0]), first = at::zeros_like(path[0]), second = at::zeros_like(path[0]);
  std::vector<Tensor> ema = {path[0].clone()}, rests = {at::zeros_like(path[0])}, rows;
  for (std::int64_t step = 1; step < path.size(0); ++step) {
    Tensor parameters = path[step].clone();
    ops::adam_ema(parameters, {{0, gradient}}, first, second, ema,
                  {.learning_rate = 0.0, .step = step, .ema_beta = {beta_of_step(step)}}, {.ema_rests = rests});
    rows.push_back(ema[0].clone());
  }
  return at::stack(rows);
}

std::string path_name(const Golden& golden, const std::string& name) {
  return golden.has(name + ".param_path") ? name + ".param_path" : "param_path";
}

/// training_loop of Karras et al. 2022: half-life in thousands of images, learning rate with a
/// ramp.
void check_loop(Golden& golden, const std::string& name) {
  const json settings = golden.settings(name);
  require_keys(settings, {"batch", "ema_halflife_kimg", "ema_rampup_ratio", "lr_rampup_kimg", "opt", "resume_kimg"});
  const double start = 1000.0 * settings.value("resume_kimg", 0.0);
  const auto batch = settings.at("batch").get<std::int64_t>();
  const json ratio = settings.value("ema_rampup_ratio", json());
  double half_life = 1000.0 * settings.at("ema_halflife_kimg").get<double>();
  // min(half-life, 0 · images)
  if (ratio.is_number() && ratio.get<double>() == 0.0) half_life = 0.0;
  const EmaDecay decay = ema_from({{"type", "half_life"}, {"half_life", half_life}, {"ramp", ratio}});
  const LearningRate rate{.base = settings.at("opt").at("lr").get<double>(),
                          .ramp_images = 1000.0 * settings.at("lr_rampup_kimg").get<double>()};

  const auto before = [&](std::int64_t step) { return static_cast<std::int64_t>(start) + (step - 1) * batch; };
  const Tensor path = golden.use(path_name(golden, name));
  golden.check_each(
      name + ".ema",
      averages(path,
               [&](std::int64_t step) { return decay({.step = step, .images = before(step), .batch_size = batch}); }),
      0.0, 1e-6);
  std::vector<double> rates;
  for (std::int64_t step = 1; step < path.size(0); ++step) rates.push_back(rate.at(before(step)));
  golden.check_each(name + ".lr", rates, 1e-12);
}

/// ExponentialMovingAverage of Song et al. 2021: the case's name gives decay and warm-up.
void check_score_sde(Golden& golden, const std::string& name) {
  std::smatch found;
  require(std::regex_match(name, found, std::regex(R"((?:.*\.)?decay([0-9.eE+-]+)\.num_updates([01]))")),
          "case '{}' is unknown to this test", name);
  const EmaDecay decay = ema_from({{"type", "score_sde"}, {"decay", std::stod(found[1])}, {"warmup", found[2] == "1"}});
  const Tensor path = golden.use(path_name(golden, name));
  if (golden.settings().contains("updates")) golden.check("updates", golden.settings()["updates"] == path.size(0) - 1);
  golden.check_each(
      name, averages(path, [&](std::int64_t step) { return decay({.step = step, .images = 0, .batch_size = 1}); }), 0.0,
      2e-6);
}

/// EMAWarmup of k-diffusion: value k belongs to the step after k steps.
void check_warmup(Golden& golden, const std::string& name) {
  json settings = golden.settings(name);
  const auto last_epoch = settings.value("last_epoch", std::int64_t{0});
  settings.erase("last_epoch");
  settings["type"] = "warmup";
  const EmaDecay decay = ema_from(settings);
  std::vector<double> values;
  for (std::int64_t k = 0; k < golden.use(name).numel(); ++k)
    values.push_back(decay({.step = last_epoch + k + 1, .images = 0, .batch_size = 1}));
  golden.check_each(name, values, 1e-12);
}

void check_file(Golden& golden) {
  std::set<std::string> loops;
  for (const auto& name : golden.names()) {
    const auto dot = name.rfind('.');
    const std::string ending = dot == std::string::npos ? "" : name.substr(dot + 1);
    if (ending == "param_path" || name == "param_path") continue;
    if (ending == "lr" || ending == "ema") {
      loops.insert(name.substr(0, dot));
    } else if (golden.settings().contains(name)) {
      check_warmup(golden, name);
    } else {
      check_score_sde(golden, name);
    }
  }
  for (const auto& name : loops) check_loop(golden, name);
  for (const auto& [name, value] : golden.settings().items())
    golden.check("settings '" + name + "' belong to a case",
                 name == "updates" || loops.contains(name) || golden.has(name));
}

}  // namespace

TEST_CASE("moving averages and learning rates are those of the reference codes", "[training][golden]") {
  for_each_golden({"ema_"}, check_file);
}
