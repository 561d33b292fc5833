// denoise: D(z; σ) of a model for given inputs, so that anyone can compare it with what other code
// gives.
//
//   edmund denoise RUN|CHECKPOINT --in FILE.safetensors --out FILE.safetensors [key=value…]
//       [--raw | --ema W]
//
// Inputs:  z [B, C, H, W] with sigma [B] or [1], or z.SIGMA for one noise level each; labels [B] of
//          whole numbers, or [B, classes] of real ones, [B] if that is one (none: no class);
//          augment [B, A]. Others are told and left alone.
// Outputs: D, or D.SIGMA, float32 of z's shape, cut as sampling.clip says.

#include "adapter_flag.h"
#include "edmund/app/run.h"
#include "edmund/commands/command.h"
#include "edmund/core/files.h"
#include "edmund/core/log.h"
#include "edmund/core/text.h"
#include "edmund/io/tensor_file.h"
#include "weights.h"

#include <algorithm>
#include <ATen/ops/full.h>
#include <ATen/ops/isfinite.h>
#include <c10/core/InferenceMode.h>
#include <memory>
#include <sstream>

namespace edmund {
namespace {

struct DenoiseFlags {
  Target target;
  std::string in, out;
  WeightsFlags weights;
};

std::string shape_text(const Tensor& tensor) {
  std::ostringstream out;
  out << tensor.sizes();
  return out.str();
}

class Inputs {
 public:
  Inputs(TensorFile file, const ModelShape& shape) : file_(std::move(file)), shape_(shape) {
    constexpr std::string_view kKnown[] = {"z", "sigma", "labels", "augment"};
    std::string others;
    for (const auto& [name, tensor] : file_.tensors) {
      if (std::ranges::find(kKnown, name) != std::end(kKnown) || name.starts_with("z.")) continue;
      require(!nearest_name(name, kKnown), "{}: tensor {} is not known{}", file_.file, in_quotes(name),
              suggestion(name, kKnown));
      others += (others.empty() ? "" : ", ") + in_quotes(name);
    }
    if (!others.empty()) log::info("{}: not used: {}", file_.file, others);
  }

  /// Each z: what follows its name, the images, their noise levels.
  template <typename Act>
  void each(const Act& act) const {
    std::size_t found = 0;
    for (const auto& [name, tensor] : file_.tensors) {
      if (name == "z") {
        act("", images(name, tensor), levels(tensor.size(0)));
      } else if (name.starts_with("z.")) {
        const auto sigma = parse_real(name.substr(2));
        require(sigma && *sigma > 0, "{}: tensor {}: expected a noise level above 0 after 'z.'", file_.file,
                in_quotes(name));
        act(name.substr(1), images(name, tensor), at::full({tensor.size(0)}, *sigma, at::kDouble));
      } else {
        continue;
      }
      ++found;
    }
    require(found > 0, "{}: no tensor z or z.SIGMA", file_.file);
  }

  Condition condition(std::int64_t batch) const {
    Condition out;
    if (const auto labels = file_.tensors.find("labels"); labels != file_.tensors.end()) {
      const bool single = labels->second.is_floating_point() && labels->second.dim() == 1 && shape_.num_classes == 1;
      const Tensor given = single ? labels->second.unsqueeze(1) : labels->second;
      const bool rows = given.is_floating_point() && given.dim() == 2 && given.size(1) == shape_.num_classes,
                 numbers = !given.is_floating_point() && given.dim() == 1;
      require(shape_.num_classes > 0, "{}: labels of a model without classes", file_.file);
      require((rows || numbers) && given.size(0) == batch,
              "{}: labels {}: expected [{}] of whole numbers, or [{}, {}] of real ones", file_.file, shape_text(given),
              batch, batch, shape_.num_classes);
      require(rows || (given.min().item<std::int64_t>() >= 0 && given.max().item<std::int64_t>() <= shape_.num_classes),
              "{}: labels: expected 0 to {}, and {} for no class", file_.file, shape_.num_classes - 1,
              shape_.num_classes);
      out.labels = rows ? finite("labels", given) : given.to(at::kLong);
    }
    if (const auto augment = file_.tensors.find("augment"); augment != file_.tensors.end()) {
      const Tensor& given = augment->second;
      require(given.dim() == 2 && given.size(0) == batch && given.size(1) == shape_.augment_labels &&
                  shape_.augment_labels > 0,
              "{}: augment {}: expected [{}, {}]", file_.file, shape_text(given), batch, shape_.augment_labels);
      out.augment = finite("augment", given);
    }
    return out;
  }

 private:
  // As float32, which values of double may be beyond.
  Tensor finite(const std::string& name, const Tensor& values) const {
    Tensor out = values.to(at::kFloat);
    require(at::isfinite(out).all().item<bool>(), "{}: {}: holds values that are not finite", file_.file, name);
    return out;
  }

  Tensor images(const std::string& name, const Tensor& z) const {
    const ImageShape& own = shape_.image;
    require(z.is_floating_point() && z.dim() == 4 && z.size(0) > 0 && z.size(1) == own.channels &&
                z.size(2) == own.height && z.size(3) == own.width,
            "{}: {} {}: expected real numbers of [B, {}, {}, {}]", file_.file, name, shape_text(z), own.channels,
            own.height, own.width);
    return finite(name, z);
  }

  Tensor levels(std::int64_t batch) const {
    const Tensor sigma = file_.at("sigma").reshape({-1}).to(at::kDouble);
    require(sigma.numel() == batch || sigma.numel() == 1, "{}: sigma {}: expected [{}] or [1]", file_.file,
            shape_text(sigma), batch);
    require((sigma > 0).all().item<bool>() && sigma.isfinite().all().item<bool>(),
            "{}: sigma: expected finite numbers above 0", file_.file);
    return sigma.expand({batch}).contiguous();
  }

  TensorFile file_;
  const ModelShape& shape_;
};

ExitCode denoise(const DenoiseFlags& flags) {
  require_file_like("--out", flags.out);
  const TrainedModel trained =
      load_model(flags.target.path, flags.target.overrides, Needs::kModel, flags.weights.weights());
  const Inputs inputs(read_tensors(flags.in), trained.experiment.shape);
  const c10::InferenceMode inference;
  const at::Device device = trained.experiment.config.backend.device;
  std::vector<std::pair<std::string, Tensor>> out;
  inputs.each([&](const std::string& ending, const Tensor& z, const Tensor& sigma) {
    Condition condition = inputs.condition(z.size(0));
    if (condition.augment.defined()) condition.augment = condition.augment.to(device);
    Tensor D = trained.experiment.model.denoise(z.to(device), sigma.to(device, at::kFloat), condition);
    if (const auto& clip = trained.experiment.sampling.clip) D = D.clamp(clip->low, clip->high);
    out.emplace_back("D" + ending, D.cpu().contiguous());
  });
  write_file(flags.out, tensor_bytes(out));
  return ExitCode::kDone;
}

}  // namespace

Action make_denoise(CLI::App& arguments) {
  const auto flags = std::make_shared<DenoiseFlags>();
  add_target(arguments, flags->target, "RUN or CHECKPOINT");
  add_adapters(arguments, flags->target);
  arguments.add_option("--in", flags->in, "safetensors with z, sigma, labels")->required();
  arguments.add_option("--out", flags->out, "safetensors to be written")->required();
  add_weights(arguments, flags->weights);
  return [=] { return denoise(*flags); };
}

}  // namespace edmund
