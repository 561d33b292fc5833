#include "edmund/studies/bench_cases.h"

#include "bench_figures.h"
#include "edmund/core/consecutive.h"
#include "edmund/core/error.h"
#include "edmund/core/stopwatch.h"
#include "edmund/data/loader.h"
#include "edmund/evaluation/features.h"
#include "edmund/generation/image_generator.h"
#include "edmund/networks/network.h"
#include "edmund/ops/device.h"
#include "edmund/ops/graph.h"
#include "edmund/ops/random.h"
#include "edmund/training/trainer.h"

#include <algorithm>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>
#include <utility>

namespace edmund {
namespace {

void choose(const std::string& kernels) {
  require(kernels == "reference" || kernels == "fast" || kernels == "exact",
          "--kernels: expected reference, fast or exact, found '{}'", kernels);
  ops::set_kernels(kernels == "reference" ? ops::Kernels::kReference : ops::Kernels::kFast);
  ops::set_conv_algorithm(kernels == "exact" ? ops::ConvAlgorithm::kDirect : ops::ConvAlgorithm::kWinograd);
}

// Noise that stands for images; speed does not depend on what they show.
Tensor noise_images(const ImageShape& shape, std::int64_t batch) {
  return ops::normal(1, Stream::kEvaluation, consecutive(0, batch), 0, {shape.channels, shape.height, shape.width},
                     at::kFloat, at::kCPU);
}

Tensor byte_images(const ImageShape& shape, std::int64_t batch) {
  return (noise_images(shape, batch) * 64 + 128).clamp(0, 255).to(at::kByte);
}

std::function<void()> forward(const std::shared_ptr<Experiment>& experiment, std::int64_t batch) {
  const at::Device device = ops::device();
  const Tensor x = noise_images(experiment->shape.image, batch).to(device),
               sigma = at::full({batch}, 1.7, at::TensorOptions(device).dtype(at::kFloat));
  const Tensor labels = class_labels(experiment->shape, ClassRule::kData, consecutive(0, batch));
  const Condition condition{.labels = labels.defined() ? labels.to(device) : labels};
  const std::shared_ptr<ops::Graph> graph = ops::records(device) ? ops::make_graph(device, /*warm_up=*/1) : nullptr;
  return [=] {
    const c10::InferenceMode inference;
    const auto work = [&] { static_cast<void>(experiment->model.denoise(x, sigma, condition)); };
    if (graph) {
      graph->run(work);
    } else {
      work();
    }
  };
}

std::function<void()> training(const std::shared_ptr<Experiment>& experiment, const DenoisingModel& model,
                               std::int64_t batch) {
  model.shared_network()->initialize(experiment->config.seed);
  const auto trainer = std::make_shared<Trainer>(experiment->objective(model), model_like(*experiment).shared_network(),
                                                 experiment->ema, experiment->config.training);
  const Tensor images = byte_images(experiment->shape.image, batch);
  const Tensor labels = experiment->shape.num_classes > 0
                            ? class_labels(experiment->shape, ClassRule::kData, consecutive(0, batch))
                            : at::zeros({batch}, at::kLong);
  return
      [=] { trainer->step({.images = images, .labels = labels, .positions = consecutive(trainer->images(), batch)}); };
}

std::function<void()> optimizer(const std::shared_ptr<Experiment>& experiment) {
  const at::TensorOptions options = at::TensorOptions(ops::device()).dtype(at::kFloat);
  std::vector<ops::GradientPiece> gradient;
  std::int64_t size = 0;
  for (const auto& parameter : experiment->model.network().parameters()) {
    gradient.push_back({size, at::full(parameter.sizes(), 1e-3, options)});
    size += parameter.numel();
  }
  struct Memory {
    Tensor p, m, v;
    std::vector<Tensor> ema, rests;
  };
  const auto flat = [=](double value) { return at::full({size}, value, options); };
  const auto memory = std::make_shared<Memory>(Memory{flat(0.1), flat(0.0), flat(1e-6), {flat(0.1)}, {flat(0.0)}});
  return [=] {
    ops::adam_ema(memory->p, gradient, memory->m, memory->v, memory->ema, {.zero_nonfinite = true, .ema_beta = {0.999}},
                  {.ema_rests = memory->rests});
  };
}

std::function<void()> sampling(BenchCase& out, const std::shared_ptr<Experiment>& experiment, std::int64_t batch) {
  const auto generator = std::make_shared<ImageGenerator>(experiment->model, experiment->sampling, experiment->shape);
  const auto inside = std::make_shared<double>(0.0);
  DrawSettings settings{.batch_size = batch};
  if (!ops::device().is_cuda()) {  // a GPU is not done with D when the call returns
    settings.around = [=](const Denoiser& D) -> Denoiser {
      return [=](const Tensor& z, double sigma) {
        const Stopwatch watch;
        Tensor denoised = D(z, sigma);
        *inside += watch.seconds();
        return denoised;
      };
    };
    out.inside = [=] { return *inside; };
  }
  const auto draw = [=, numbers = consecutive(0, batch)] {
    *inside = 0.0;
    return generator->draw(numbers, class_labels(experiment->shape, ClassRule::kData, numbers), experiment->config.seed,
                           settings);
  };
  out.evaluations = draw().evaluations;
  return [=] { static_cast<void>(draw()); };
}

std::function<void()> loading(const std::shared_ptr<Experiment>& experiment, std::int64_t batch) {
  LoaderSettings settings = experiment->config.loader;
  settings.batch_size = batch;
  const auto loader = std::make_shared<Loader>(*experiment->data, settings);
  return [=] { static_cast<void>(loader->next()); };
}

std::function<void()> features(const std::shared_ptr<Experiment>& experiment, std::int64_t batch) {
  Options evaluation = experiment->config.options.child("evaluation"), options = evaluation.child("features");
  const std::shared_ptr<FeatureExtractor> extractor =
      make_features(options, {.labeled = *experiment->data, .seed = experiment->config.evaluation.seed});
  const Tensor images = byte_images(experiment->shape.image, batch);
  return [=] {
    const c10::InferenceMode inference;
    static_cast<void>(extractor->extract(images));
  };
}

using Shared = std::shared_ptr<Experiment>;

constexpr BenchPhase kPhases[] = {
    {"forward", "fwd", [](BenchCase& out, const Shared& of, std::int64_t batch) { out.run = forward(of, batch); }},
    {"train", "train",
     [](BenchCase& out, const Shared& of, std::int64_t batch) { out.run = training(of, model_like(*of), batch); }},
    {"sample", "sample",
     [](BenchCase& out, const Shared& of, std::int64_t batch) { out.run = sampling(out, of, batch); }},
    {"optimizer", "optim", [](BenchCase& out, const Shared& of, std::int64_t) { out.run = optimizer(of); }},
    {"loader", "loader", [](BenchCase& out, const Shared& of, std::int64_t batch) { out.run = loading(of, batch); }},
    {"features", "fid", [](BenchCase& out, const Shared& of, std::int64_t batch) { out.run = features(of, batch); }},
    {"loops", "loops", [](BenchCase& out, const Shared& of, std::int64_t) { out.run = optimizer_loops(*of); }},
    {"inception", "inception", [](BenchCase& out, const Shared&, std::int64_t batch) { out.run = inception(batch); }},
    {"frechet", "frechet", [](BenchCase& out, const Shared&, std::int64_t) { out.run = frechet(out); }},
    {"accuracy", "accuracy",
     [](BenchCase& out, const Shared& of, std::int64_t batch) { out.run = accuracy(out, *of, batch); }},
    {"memory", "memory",
     [](BenchCase& out, const Shared& of, std::int64_t batch) {
       out.run = training(of, of->model, batch);
       out.figures = [] { return Figures{{"peak_mb", peak_megabytes()}}; };
     }},
};

}  // namespace

std::span<const BenchPhase> phase_table() { return kPhases; }

BenchCase make_bench_case(const Shared& experiment, const BenchPhase& phase, const std::string& kernels,
                          std::int64_t batch) {
  choose(kernels);
  BenchCase out{.name = format("edmund-{}:{}:{}", experiment->config.name, phase.short_name, kernels), .batch = batch};
  phase.prepare(out, experiment, batch);
  out.run = [kernels, body = std::move(out.run)] {
    choose(kernels);
    body();
  };
  return out;
}

MachineRates measured_rates() {
  const at::NoGradGuard no_grad;  // not inference mode: weights of that are packed anew each time
  const ops::ExactFloat32 exact;
  ops::set_kernels(ops::Kernels::kFast);
  constexpr std::int64_t kSide = 1536, kLarge = std::int64_t{1} << 24;
  const at::TensorOptions options = at::TensorOptions(ops::device()).dtype(at::kFloat);
  const Tensor a = at::ones({kSide, kSide}, options), b = at::ones({kSide, kSide}, options);
  const Tensor pixels = a.view({1, kSide / 32, 32, kSide}).permute({0, 3, 1, 2}), weight = b.view({kSide, kSide, 1, 1});
  Tensor stream = at::ones({kLarge}, options);
  Tensor c = at::empty({kSide, kSide}, options);
  const auto seconds = [](const auto& work) {
    const Stopwatch watch;
    work();
    ops::synchronize(ops::device());
    return watch.seconds();
  };
  MachineRates best;
  for (int i = 0; i < 5; ++i) {
    const double theirs = seconds([&] { at::mm_out(c, a, b); });
    const double ours = seconds([&] { static_cast<void>(ops::conv2d(pixels, {.weight = weight})); });
    best.flops = std::max(best.flops, 2.0 * kSide * kSide * kSide / std::min(theirs, ours));
    best.bytes = std::max(best.bytes, 2.0 * 4.0 * kLarge / seconds([&] { stream.mul_(1.0); }));
  }
  return best;
}

}  // namespace edmund
