// exported — a network that PyTorch exported, run as it is: TorchScript (torch.jit.save) or a
// package that AOTInductor compiled (.pt2). The file runs its author's code: take it from whom you
// trust. It is sampled and measured, never trained.
//
//   file      required  the program: forward(x, t) or, where image.classes > 0, forward(x, t,
//                       labels); float32 images [B, C, H, W] of the config's `image`, float32
//                       times [B] → [B, C, H, W] (or 2C channels, of which the first C count)
//   labels    index     of its third input: index, int64 [B] from 0 to image.classes, which is "no
//                       class"; or one_hot, float32 [B, classes], zeros for "no class"
//   batch     any       [least, most] images a call, where the program does not take all numbers:
//                       more are split, fewer are filled up
//   checksum  ""        of the file (xxHash64): another one is refused; edmund convert notes it
//
// What it answers and what it is told of the noise stands in `preconditioning`, which such a config
// must choose:
//
//   D(z; σ) of unscaled images    {type: x0, input: unscaled, noise_input: sigma}
//   F of EDM, told ¼·ln σ         {type: edm, sigma_data: 0.5, noise_input: log}
//   ε, told the step of a table   {type: eps, noise_input: {type: index, schedule: ddpm}}
//   v, likewise                   {type: v, noise_input: {type: index, schedule: ddpm}}
//   ε - x0 of flows, told t       {type: flow, noise_input: flow}
#include "edmund/core/error.h"
#include "edmund/core/files.h"
#include "edmund/core/log.h"
#include "edmund/core/text.h"
#include "edmund/networks/network.h"
#include "exported_program.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <limits>
#include <utility>

namespace edmund {
namespace {

enum class Labels { kNone, kIndex, kOneHot };

class Exported : public Network {
 public:
  struct Config {
    std::filesystem::path file;
    NetworkContext context;
    Labels labels = Labels::kNone;
    std::int64_t least = 1, most = std::numeric_limits<std::int64_t>::max();  // images a call
  };

  explicit Exported(Config config) : config_(std::move(config)), program_(config_.file) {
    // what is asked where the network lies and in which dtype it computes, looks at a parameter
    place_ = register_parameter("place", at::zeros({0}), /*requires_grad=*/false);
  }

  Tensor forward(const Tensor& x, const Tensor& c_noise, const Condition& condition) override {
    const std::int64_t B = x.size(0);
    require(program_.kind() == ExportedProgram::Kind::kTorchScript || !at::GradMode::is_enabled() || !x.requires_grad(),
            "{}: a package of AOTInductor has no gradients, which a likelihood needs; export TorchScript",
            config_.file.string());
    const Tensor noise = c_noise.to(at::kFloat).expand({B}).contiguous();
    const Tensor labels = labels_of(condition, x);
    std::vector<Tensor> out;
    for (std::int64_t first = 0; first < B; first += config_.most) {
      const std::int64_t n = std::min(config_.most, B - first), filled = std::max(n, config_.least);
      std::vector<Tensor> inputs = {x.narrow(0, first, n), noise.narrow(0, first, n)};
      if (labels.defined()) inputs.push_back(labels.narrow(0, first, n));
      for (Tensor& input : inputs) {
        std::vector<std::int64_t> more(static_cast<std::size_t>(input.dim()), 1);
        more[0] = filled - n;
        input = (filled > n ? at::cat({input, input.narrow(0, 0, 1).repeat(more)}) : input).contiguous();
      }
      out.push_back(checked(program_.run(inputs), inputs.front()).narrow(0, 0, n));
    }
    return out.size() == 1 ? out.front() : at::cat(out);
  }

  /// Its weights are those of the file.
  void initialize(std::uint64_t) override {}

  void to(torch::Device device, bool non_blocking) override {
    program_.to(device);
    Network::to(device, non_blocking);
  }

  /// Runs it on one image and on two, so that what does not fit is found before anything else is
  /// done.
  void try_out() {
    const at::NoGradGuard no_grad;
    const ImageShape& image = config_.context.image;
    const auto answer = [&](std::int64_t B) {
      const Tensor x = at::linspace(-1, 1, image.channels * image.height * image.width, at::kFloat)
                           .reshape({1, image.channels, image.height, image.width})
                           .repeat({B, 1, 1, 1});
      const Condition condition{.labels = config_.labels == Labels::kNone ? Tensor() : at::zeros({B}, at::kLong)};
      return forward(x, at::ones({B}), condition);
    };
    const Tensor one = answer(1), two = answer(2);
    const double size = one.abs().max().item<double>(), gap = (one[0] - two[1]).abs().max().item<double>();
    require(!(gap > 1e-3 * size),
            "{}: answers otherwise for two images than for one; is its batch fixed? Then state `batch`",
            config_.file.string());
  }

 private:
  Tensor labels_of(const Condition& condition, const Tensor& x) const {
    const std::int64_t B = x.size(0), classes = config_.context.num_classes;
    if (config_.labels == Labels::kNone) return {};
    if (config_.labels == Labels::kOneHot)
      return class_rows(condition.labels, classes, B, x.options().requires_grad(false)).expand({B, classes});
    const at::TensorOptions options = x.options().dtype(at::kLong).requires_grad(false);
    if (!condition.labels.defined()) return at::full({B}, classes, options);
    TORCH_CHECK(condition.labels.dim() == 1, "network: labels ", condition.labels.sizes(), " for a program of indices");
    const Tensor index = condition.labels.to(options);
    TORCH_CHECK(
        !index.is_cpu() || (index.min().item<std::int64_t>() >= 0 && index.max().item<std::int64_t>() <= classes),
        "network: labels beyond 0 to ", classes);
    return index.expand({B});
  }

  Tensor checked(const Tensor& y, const Tensor& x) const {
    const bool fits = y.dim() == 4 && y.size(0) == x.size(0) &&
                      (y.size(1) == x.size(1) || y.size(1) == 2 * x.size(1)) && y.size(2) == x.size(2) &&
                      y.size(3) == x.size(3) && y.is_floating_point();
    require(fits, "{}: answers {} [{}] to images [{}], expected real numbers of that shape or with twice the channels",
            config_.file.string(), c10::toString(y.scalar_type()), y.sizes(), x.sizes());
    return y;
  }

  Config config_;
  ExportedProgram program_;
  Tensor place_;
};

}  // namespace

std::shared_ptr<Network> make_exported(Options& options, const NetworkContext& context) {
  const auto file = options.required_path("file", "the program: TorchScript or a package of AOTInductor");
  const auto labels = options.choice("labels", "index", {"index", "one_hot"}, "form in which it is told classes");
  const auto batch =
      options.integers("batch", {}, between(1, 1 << 20), "[least, most] images a call; none: any number");
  options.check(batch.empty() || (batch.size() == 2 && batch[0] <= batch[1]), "batch",
                "expected [least, most], found {} numbers in another order or count", batch.size());
  const auto known = options.text("checksum", "", "of the file, if no other one is to be taken");
  if (file.empty()) return nullptr;  // a recorded mistake
  require(std::filesystem::is_regular_file(file), "{}: no such file", file.string());
  const std::string found = checksum(read_file(file));
  require(known.empty() || known == found, "{}: another file than was noted (checksum {}, expected {})", file.string(),
          found, in_quotes(known));
  require(context.augment_labels == 0, "{}: a program is told of no augmentation, but image.augment_labels is {}",
          file.string(), context.augment_labels);
  log::info_once("{}: runs the code of its author, as network.type exported asks for", file.string());
  const Labels form = context.num_classes == 0 ? Labels::kNone : labels == "index" ? Labels::kIndex : Labels::kOneHot;
  Exported::Config config{.file = file, .context = context, .labels = form};
  if (batch.size() == 2) config.least = batch[0], config.most = batch[1];
  auto network = std::make_shared<Exported>(std::move(config));
  network->try_out();
  return network;
}

}  // namespace edmund
