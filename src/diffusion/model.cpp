#include "edmund/diffusion/model.h"

#include "edmund/core/error.h"
#include "edmund/networks/network.h"
#include "edmund/ops/sum.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <c10/core/InferenceMode.h>
#include <optional>
#include <utility>

namespace edmund {
namespace {

// Options of the first parameter that is found; looking at all of them would cost as much as a
// small layer.
std::optional<at::TensorOptions> first_options(const torch::nn::Module& module) {
  const auto own = module.parameters(/*recurse=*/false);
  if (!own.empty()) return own.front().options();
  for (const auto& child : module.children())
    if (const auto found = first_options(*child)) return found;
  return std::nullopt;
}

at::ScalarType dtype_of(const Network& network) {
  const auto options = first_options(network);
  return options ? at::typeMetaToScalarType(options->dtype()) : at::kFloat;
}

// F of the network's input c_in·z; of 2C channels the first C (the others are a learned variance).
Tensor evaluate(Network& network, const Tensor& input, const Tensor& noise, const Condition& condition) {
  const Tensor F = network.forward(input, noise, condition);
  TORCH_CHECK(F.dim() == 4 && (F.size(1) == input.size(1) || F.size(1) == 2 * input.size(1)), "network: output ",
              F.sizes(), " for images ", input.sizes());
  return F.narrow(1, 0, input.size(1));
}

void check_batch(const Tensor& z, const Tensor& sigma) {
  TORCH_CHECK(z.dim() == 4 && sigma.dim() == 1 && (sigma.size(0) == z.size(0) || sigma.size(0) == 1), "model: images ",
              z.sizes(), ", sigma ", sigma.sizes(), "; expected [B, C, H, W] and [B]");
}

// D at one noise level for the whole batch: denoise() up to rounding. The coefficients are numbers
// of the host, so that one pass makes the network's input and another one D. Images that lie
// elsewhere visit the network's device.
Tensor denoised_at(const DenoisingModel& model, const Tensor& z, double sigma, const Condition& condition) {
  const at::Device device = device_of(model.network());
  if (device != z.device()) return denoised_at(model, z.to(device), sigma, condition).to(z.device());
  TORCH_CHECK(z.dim() == 4, "model: images ", z.sizes(), ", expected [B, C, H, W]");
  const auto c = model.preconditioning().edm(at::full({1}, sigma, at::kDouble));
  const auto number = [](const Tensor& x) { return x.item<double>(); };
  // Told in the dtype that keeps z's precision.
  const auto dtype = z.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const Tensor noise = at::full({1}, number(c.noise), z.options().dtype(dtype));
  const Tensor input = ops::network_input(number(c.in), z, dtype_of(model.network()));
  const Tensor F = evaluate(model.network(), input, noise, condition);
  return number(c.skip) * ops::Sum(z) + number(c.out) * ops::Sum(F);
}

}  // namespace

at::Device device_of(const Network& network) {
  const auto options = first_options(network);
  return options ? options->device() : at::Device(at::kCPU);
}

DenoisingModel::DenoisingModel(std::shared_ptr<Network> network, Preconditioning preconditioning, LossWeight weight)
    : network_(std::move(network)), preconditioning_(std::move(preconditioning)), weight_(std::move(weight)) {}

DenoisingModel DenoisingModel::on(std::shared_ptr<Network> network) const {
  return {std::move(network), preconditioning_, weight_};
}

Tensor DenoisingModel::denoise(const Tensor& z, const Tensor& sigma, const Condition& condition) const {
  check_batch(z, sigma);
  const auto c = preconditioning_.edm(sigma);
  const Tensor F = evaluate(*network_, (c.in * z).to(dtype_of(*network_)), c.noise, condition);
  return (c.skip * z + c.out * F).to(z.scalar_type());
}

Tensor DenoisingModel::loss(const Tensor& x0, const Tensor& eps, const Tensor& sigma,
                            const Condition& condition) const {
  check_batch(x0, sigma);
  const auto c = preconditioning_.coefficients(sigma);
  const Tensor level = sigma.reshape({-1, 1, 1, 1}), z = x0 + level * eps;
  const Tensor F = evaluate(*network_, (c.in * z).to(dtype_of(*network_)), c.noise, condition);
  const Tensor target = c.a * x0 + c.b * eps;
  const Tensor error = (F - target).square();
  const Tensor lambda = weight_(sigma);
  if (!lambda.defined()) return error;
  // D - x0 = c_out·(F - F*)
  const Tensor out = level / (level * c.a - c.b);
  return lambda.reshape({-1, 1, 1, 1}) * out.square() * error;
}

Denoiser conditioned(const DenoisingModel& model, Condition condition) {
  return [model, condition = std::move(condition)](const Tensor& z, double sigma) {
    const at::NoGradGuard no_grad;
    return denoised_at(model, z, sigma, condition);
  };
}

Denoiser differentiable(const DenoisingModel& model, Condition condition) {
  return [model, condition = std::move(condition)](const Tensor& z, double sigma) {
    require(!c10::InferenceMode::is_enabled(), "model: D has no gradients in inference mode");
    const at::AutoGradMode gradients(true);
    return denoised_at(model, z, sigma, condition);
  };
}

Denoiser guided(const DenoisingModel& model, const Condition& condition, const Condition& base, double weight) {
  const auto both = [](const Tensor& c, const Tensor& u) { return c.defined() ? at::cat({c, u}) : Tensor(); };
  const Condition pair{.labels = both(condition.labels, base.labels), .augment = both(condition.augment, base.augment)};
  return [D = conditioned(model, pair), weight](const Tensor& z, double sigma) {
    const auto parts = D(at::cat({z, z}), sigma).chunk(2);  // D_c, D_u, each [B, C, H, W]
    return parts[1] + weight * (parts[0] - parts[1]);
  };
}

}  // namespace edmund
