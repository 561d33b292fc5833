#include "bench_figures.h"

#include "edmund/core/error.h"
#include "edmund/evaluation/frechet.h"
#include "edmund/evaluation/inception.h"
#include "edmund/evaluation/resize.h"
#include "edmund/generation/image_generator.h"
#include "edmund/networks/network.h"
#include "edmund/ops/random.h"

#include <array>
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <cmath>
#include <fstream>
#include <torch/optim/adam.h>

namespace edmund {
namespace {

Tensor normal(at::IntArrayRef shape, std::uint32_t draw) {
  constexpr std::array<std::int64_t, 1> kSample = {0};
  return ops::normal(1, Stream::kEvaluation, kSample, draw, shape, at::kFloat, at::kCPU)[0];
}

// Weights of no zeros: a new network's last layers are zero, and its denoiser is exact whatever the
// kernels do.
void randomize(Network& network) {
  const at::NoGradGuard no_gradient;
  std::uint32_t draw = 0;
  for (const auto& parameter : network.named_parameters()) {
    Tensor value = normal(parameter.value().sizes(), draw++);
    if (value.dim() > 1)
      value *= std::sqrt(1.0 / static_cast<double>(value[0].numel()));
    else
      value = value * 0.1 + (parameter.key().ends_with("weight") ? 1.0 : 0.0);
    parameter.value().copy_(value);
  }
  ops::weights_changed();
}

TensorFile random_inception() {
  TensorFile file{.file = "random weights"};
  std::uint32_t draw = 0;
  for (const InceptionLayer& layer : inception_layers()) {
    const double fan_in = static_cast<double>(layer.in * layer.height * layer.width);
    file.tensors[layer.name + ".conv.weight"] =
        normal({layer.out, layer.in, layer.height, layer.width}, draw++) * std::sqrt(2.0 / fan_in);
    for (const char* part : {".bn.weight", ".bn.running_var"}) file.tensors[layer.name + part] = at::ones({layer.out});
    for (const char* part : {".bn.bias", ".bn.running_mean"}) file.tensors[layer.name + part] = at::zeros({layer.out});
  }
  file.tensors["fc.weight"] = at::zeros({1008, 2048});
  return file;
}

// Uniform in [0, 1): number `index` of a splitmix64 generator (Steele, Lea & Flood 2014), which
// scripts/bench_peers draws too.
double uniform(std::uint64_t index) {
  std::uint64_t z = (index + 1) * 0x9E3779B97F4A7C15;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  z ^= z >> 31;
  return static_cast<double>(z >> 11) * 0x1p-53;
}

Moments uniform_features(std::int64_t set) {
  constexpr std::int64_t kRows = 4096, kDims = 2048;
  const Tensor x = at::empty({kRows, kDims}, at::kDouble);
  auto* out = x.data_ptr<double>();
  for (std::int64_t i = 0; i < x.numel(); ++i) out[i] = uniform(static_cast<std::uint64_t>(set * x.numel() + i));
  Moments moments;
  moments.add(x * static_cast<double>(set + 1));
  return moments;
}

}  // namespace

std::function<void()> optimizer_loops(const Experiment& experiment) {
  struct Memory {
    std::vector<Tensor> parameters, ema;
    std::unique_ptr<torch::optim::Adam> adam;
  };
  const auto memory = std::make_shared<Memory>();
  for (const auto& parameter : experiment.model.network().parameters()) {
    memory->ema.push_back(at::full(parameter.sizes(), 0.1, at::kFloat));
    memory->parameters.push_back(memory->ema.back().clone().requires_grad_());
    memory->parameters.back().mutable_grad() = at::full(parameter.sizes(), 1e-3, at::kFloat);
  }
  memory->adam = std::make_unique<torch::optim::Adam>(memory->parameters, torch::optim::AdamOptions(1e-3));
  return [=] {
    const at::NoGradGuard no_gradient;
    for (const Tensor& p : memory->parameters) at::nan_to_num_(p.mutable_grad(), 0.0, 1e5, -1e5);
    memory->adam->step();
    for (std::size_t i = 0; i < memory->ema.size(); ++i)
      memory->ema[i].copy_(memory->parameters[i].lerp(memory->ema[i], 0.999));
  };
}

std::function<void()> inception(std::int64_t batch) {
  const auto network = std::make_shared<InceptionV3>(random_inception());
  const Tensor images = (normal({batch, 3, 32, 32}, 0) * 64 + 128).clamp(0, 255).to(at::kByte);
  return [=] {
    const c10::InferenceMode inference;
    const Tensor x = (resized_batch(images, 299, 299, Resize::kBilinear) - 127.5) / 127.5;
    static_cast<void>(network->features(x));
  };
}

std::function<void()> frechet(BenchCase& out) {
  out.batch = 1;
  const Moments a = uniform_features(0), b = uniform_features(1);
  const auto distance = std::make_shared<double>(0.0);
  out.figures = [=] { return Figures{{"distance", *distance}}; };
  return [=, mean_a = a.mean(), mean_b = b.mean(), covariance_a = a.covariance(), covariance_b = b.covariance()] {
    *distance = frechet_distance(mean_a, covariance_a, mean_b, covariance_b);
  };
}

std::function<void()> accuracy(BenchCase& out, const Experiment& experiment, std::int64_t batch) {
  const DenoisingModel model = model_like(experiment), truth = model_like(experiment);
  for (const auto* one : {&model, &truth}) randomize(one->network());
  truth.network().to(at::kDouble);

  std::vector<double> sigmas;
  for (std::int64_t i = 0; i < batch; ++i) sigmas.push_back(std::vector{0.002, 0.05, 0.5, 2.0, 20.0, 80.0}[i % 6]);
  const Tensor sigma = at::tensor(sigmas, at::kFloat);
  const ImageShape& image = experiment.shape.image;
  const Tensor x = normal({batch, image.channels, image.height, image.width}, 0);
  const Tensor z = 0.5 * x + sigma.view({-1, 1, 1, 1}) * x.flip(0);
  const Condition condition{.labels = class_labels(experiment.shape, ClassRule::kData,
                                                   std::vector<std::int64_t>(static_cast<std::size_t>(batch), 0))};

  const c10::InferenceMode inference;
  const auto chosen = ops::kernels();
  ops::set_kernels(ops::Kernels::kReference);
  const Tensor expected = truth.denoise(z.to(at::kDouble), sigma.to(at::kDouble), condition);
  ops::set_kernels(chosen);
  const auto denoised = std::make_shared<Tensor>();
  out.figures = [=] {
    const c10::InferenceMode without_gradients;
    // [B]
    const Tensor error = (*denoised - expected).abs().flatten(1).amax(1) / expected.abs().flatten(1).amax(1);
    return Figures{{"relative_error", error.max().item<double>()}};
  };
  return [=] {
    const c10::InferenceMode without_gradients;
    *denoised = model.denoise(z, sigma, condition);
  };
}

double peak_megabytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    // in kB of 1024 bytes
    if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) * 1024 * 1e-6;
  fail("/proc/self/status: no VmHWM there");
}

}  // namespace edmund
