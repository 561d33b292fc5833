#include "edmund/training/posthoc_ema.h"

#include "edmund/core/error.h"
#include "edmund/core/files.h"
#include "edmund/training/ema.h"
#include "edmund/training/kept_averages.h"
#include "edmund/training/trainer.h"
#include "helpers.h"
#include "support/catch.h"
#include "support/golden.h"
#include "tiny_model.h"

#include <ATen/ATen.h>
#include <cmath>
#include <map>
#include <span>
#include <vector>

using namespace edmund;
using namespace edmund::testing;
using Catch::Matchers::WithinRel;
using nlohmann::json;

namespace {

Tensor as_tensor(const std::vector<double>& values) { return at::tensor(at::ArrayRef<double>(values)); }

/// Widths [N] and moments [N] or [1] of profiles.
std::vector<PowerProfile> profiles(const std::vector<double>& images, const std::vector<double>& widths) {
  std::vector<PowerProfile> out;
  for (std::size_t i = 0; i < widths.size(); ++i)
    out.push_back({images[images.size() == 1 ? 0 : i], power_ema_gamma(widths[i])});
  return out;
}

class PowerFile {
 public:
  explicit PowerFile(Golden& golden)
      : golden_(golden),
        settings_(golden.settings()),
        rates_(number_in(golden.about().at("tolerance"), R"(exponents, betas, tracked values: rel ([0-9.e-]+))")),
        coefficients_(number_in(golden.about().at("tolerance"), R"(coefficients: rel ([0-9.e-]+))")),
        reconstructed_(number_in(golden.about().at("tolerance"), R"(reconstructed: ([0-9.e-]+) absolute)")) {
    for (const auto& [key, value] : settings_.items())
      require(key == "batch_size" || key == "snapshots_at" || key == "steps" || key == "tracked_std",
              "setting '{}' is unknown to this test", key);
  }

  void run() {
    exponents();
    track();
    for (const auto& part : golden_.parts())
      if (part.starts_with("set")) set(part);
    response();
    posthoc();
  }

 private:
  void exponents() {
    std::vector<double> gammas, widths;
    for (const double width : golden_.reals("std")) gammas.push_back(power_ema_gamma(width));
    for (const double gamma : golden_.reals("exp")) widths.push_back(power_ema_width(gamma));
    golden_.check_each("exp_of_std", gammas, rates_);
    golden_.check_each("std_of_exp", widths, rates_);
  }

  /// The averages of the path, by the optimizer's own update in double precision.
  void track() {
    const auto widths = settings_.at("tracked_std").get<std::vector<double>>();
    const auto batch = settings_.at("batch_size").get<std::int64_t>();
    const auto moments = settings_.at("snapshots_at").get<std::vector<std::int64_t>>();
    const Tensor path = golden_.use("param_path");
    golden_.check("steps", settings_.at("steps") == path.size(0) - 1);
    Tensor zero = at::zeros_like(path[0]), first = zero.clone(), second = zero.clone();
    std::vector<Tensor> ema, rows, snapshots;
    std::vector<EmaDecay> decays;
    std::vector<double> betas, of_snapshots, at_snapshots;
    for (const double width : widths) {
      ema.push_back(path[0].clone());
      decays.push_back(power_ema(width));
    }
    for (std::int64_t step = 1; step < path.size(0); ++step) {
      Tensor parameters = path[step].clone();
      std::vector<double> now;
      for (const auto& decay : decays)
        now.push_back(decay({.step = step, .images = (step - 1) * batch, .batch_size = batch}));
      betas.insert(betas.end(), now.begin(), now.end());
      ops::adam_ema(parameters, {{0, zero}}, first, second, ema,
                    {.learning_rate = 0.0, .step = step, .ema_beta = std::move(now)});
      rows.push_back(at::stack(ema));
      if (std::ranges::find(moments, step * batch) == moments.end()) continue;
      for (std::size_t i = 0; i < ema.size(); ++i) {
        at_snapshots.push_back(static_cast<double>(step * batch));
        of_snapshots.push_back(widths[i]);
        snapshots.push_back(ema[i].clone());
      }
    }
    golden_.check_each("track.beta", as_tensor(betas).view({-1, std::ssize(widths)}), rates_);
    // tracked values: of their own scale, since they pass through zero
    golden_.check_max("track.ema", at::stack(rows), rates_);
    golden_.check_each("snapshot.nimg", at_snapshots, 0.0);
    golden_.check_each("snapshot.std", of_snapshots, 0.0);
    golden_.check_max("snapshot.value", at::stack(snapshots), rates_);
  }

  void set(const std::string& name) {
    const auto kept = profiles(golden_.reals(name + ".in_nimg"), golden_.reals(name + ".in_std")),
               wanted = profiles(golden_.reals(name + ".out_nimg"), golden_.reals(name + ".out_std"));
    golden_.check_max(name + ".coefficients", posthoc_coefficients(kept, wanted), coefficients_);
  }

  void response() {
    const double at = number_in(golden_.notes(), R"(at offset ([0-9]+) for t)");
    std::vector<Tensor> rows;
    const auto count = static_cast<std::int64_t>(golden_.number("response.t_count"));
    for (const double width : golden_.reals("std"))
      rows.push_back(sampled_profile({.images = at, .gamma = power_ema_gamma(width)}, count));
    golden_.check_max("response.values", at::stack(rows), rates_);
  }

  void posthoc() {
    const std::vector<double> nimg = golden_.reals("snapshot.nimg"), std = golden_.reals("snapshot.std"),
                              widths = golden_.reals("posthoc.out_std");
    const auto kept = profiles(nimg, std), wanted = profiles({nimg.back()}, widths);
    std::vector<double> products;
    for (const auto& a : kept)
      for (const auto& b : kept) products.push_back(inner_product(a, b));
    golden_.check_max_of("posthoc.correlation", as_tensor(products), golden_.use("posthoc.correlation").flatten(),
                         rates_);
    const Tensor coefficients = posthoc_coefficients(kept, wanted), values = golden_.use("snapshot.value");
    golden_.check_max("posthoc.coefficients", coefficients, coefficients_);
    golden_.check_each("posthoc.reconstructed", coefficients.t().matmul(values), 0.0, reconstructed_);

    const double middle = golden_.number("posthoc_mid.out_nimg");
    std::vector<PowerProfile> earlier;
    for (const auto& profile : kept)
      if (profile.images <= middle) earlier.push_back(profile);
    golden_.check_max("posthoc_mid.coefficients", posthoc_coefficients(earlier, profiles({middle}, widths)),
                      coefficients_);

    // the averages of the wanted widths themselves
    const Tensor path = golden_.use("param_path");
    const auto batch = settings_.at("batch_size").get<std::int64_t>();
    std::vector<Tensor> direct;
    for (const double width : widths) {
      const EmaDecay decay = power_ema(width);
      Tensor ema = path[0];
      for (std::int64_t step = 1; step * batch <= static_cast<std::int64_t>(nimg.back()); ++step) {
        const double beta = decay({.step = step, .images = (step - 1) * batch, .batch_size = batch});
        ema = beta * ema + (1 - beta) * path[step];
      }
      direct.push_back(ema);
    }
    golden_.check_max("posthoc.direct_ema", at::stack(direct), rates_);
  }

  Golden& golden_;
  json settings_;
  double rates_, coefficients_, reconstructed_;
};

/// A short training that tracks these widths and keeps the first three of them 40 times.
struct Tracked {
  TemporaryFolder folder;
  std::map<double, NamedTensors> direct;  // all at the end
  std::int64_t images = 0;

  explicit Tracked(const std::vector<double>& widths) {
    TinySettings settings = tiny_settings();
    settings.learning_rate = {.base = 2e-3};
    settings.ema_tracks = widths;
    Trainer trainer = tiny_trainer(settings);
    for (int moment = 1; moment <= 40; ++moment) {
      train_until(trainer, moment * 320);
      KeptAverages averages = trainer.averages();
      averages.widths.resize(3);
      averages.parameters.resize(3);
      save_averages(folder.path(), averages);
    }
    images = trainer.images();
    const KeptAverages kept = trainer.averages();
    for (std::size_t i = 0; i < widths.size(); ++i)
      for (const auto& [name, tensor] : kept.parameters[i]) direct[widths[i]].emplace_back(name, tensor.clone());
  }
};

double gap(const NamedTensors& a, const NamedTensors& b) {
  const std::map<std::string, Tensor> other(b.begin(), b.end());
  REQUIRE(a.size() == other.size());
  double largest = 0.0;
  for (const auto& [name, tensor] : a)
    largest = std::max(largest, (tensor - other.at(name)).abs().max().item<double>());
  return largest;
}

}  // namespace

TEST_CASE("power-function averages and their reconstruction are those of NVlabs/edm2", "[training][golden]") {
  for_each_golden({"edm2_power_"}, [](Golden& golden) { PowerFile(golden).run(); });
}

TEST_CASE("an average made afterwards equals the one that was tracked", "[training]") {
  const Tracked run({0.05, 0.1, 0.2, 0.07, 0.15});
  for (const auto& [width, direct] : run.direct) {
    const Reconstruction made = reconstructed(run.folder.path(), width, run.images);
    INFO("width " << width);
    CHECK(made.images == run.images);
    CHECK(made.averages == 120);
    CHECK(gap(made.parameters, direct) < 1e-6);
    CHECK(made.residual < 1e-4);
  }
  // A width that the kept ones do not span is told as such.
  CHECK(reconstructed(run.folder.path(), 0.01, run.images).residual > 0.02);
  // Of an earlier moment only what was kept by then counts.
  CHECK(reconstructed(run.folder.path(), 0.1, 700).images == 640);
}

TEST_CASE("kept averages are refused in one line where they are damaged or missing", "[training]") {
  const TemporaryFolder folder;
  CHECK(contains(error_of([&] { reconstructed(folder.path(), 0.1, 100); }), "no averages of up to 100 images"));
  TinySettings settings = tiny_settings();
  settings.ema_tracks = {0.1};
  Trainer trainer = tiny_trainer(settings);
  for (const std::int64_t images : {8, 16}) {
    train_until(trainer, images);
    save_averages(folder.path(), trainer.averages());
  }
  CHECK(kept_averages(folder.path()) == std::vector<std::int64_t>{8, 16});
  drop_averages(folder.path(), 8);
  CHECK(kept_averages(folder.path()) == std::vector<std::int64_t>{8});
  const auto file = folder.path() / "averages" / "000000000008.safetensors";
  std::string bytes = read_file(file);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  write_file(file, bytes);
  CHECK(contains(error_of([&] { reconstructed(folder.path(), 0.1, 100); }), "checksum does not match"));
}

TEST_CASE("a training goes on with its tracks bit for bit", "[training]") {
  TinySettings settings = tiny_settings();
  settings.objective.uncertainty = true;
  settings.ema_tracks = {0.05, 0.1};
  Trainer whole = tiny_trainer(settings), part = tiny_trainer(settings);
  train_until(whole, 80);
  train_until(part, 40);
  const Checkpoint checkpoint = part.checkpoint("");
  Trainer rest = tiny_trainer(settings);
  rest.restore(checkpoint);
  train_until(rest, 80);
  for (std::size_t i = 0; i < 2; ++i) CHECK(same(rest.track(i), whole.track(i)));
  CHECK(same_state(rest.checkpoint(""), whole.checkpoint("")));
  // the objective's own weight is tracked, and no part of what is kept for networks
  CHECK(whole.track(0).size() == whole.averages().parameters[0].size() + 1);
}

TEST_CASE("coefficients stay small however many averages were kept", "[training]") {
  std::vector<PowerProfile> kept;
  for (int moment = 1; moment <= 300; ++moment)
    for (const double width : {0.05, 0.1, 0.2}) kept.push_back({moment * 1000.0, power_ema_gamma(width)});
  const PowerProfile wanted{300e3, power_ema_gamma(0.12)};
  const Tensor found = posthoc_coefficients(kept, std::span(&wanted, 1));
  CHECK(found.abs().sum().item<double>() < 20.0);
  CHECK_THAT(found.sum().item<double>(), WithinRel(1.0, 1e-12));
  CHECK(posthoc_residual(kept, {found.const_data_ptr<double>(), kept.size()}, wanted) < 1e-6);
}
