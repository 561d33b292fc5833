// dit — transformer on patches of the image, conditioned by adaLN-zero (Peebles & Xie 2023; SiT of
// Ma et al. 2024 is the same network with other noise inputs). Images of any shape that the patch
// divides.
//
//   size         S          preset: S 384×12×6, B 768×12×12, L 1024×24×16, XL 1152×28×16
//                           (hidden_size × depth × heads); S is the smallest published one
//   patch        2          pixels along a side
//   hidden_size  by size    width of the tokens: a multiple of 4 and of heads
//   depth        by size    blocks
//   heads        by size    of the attention
//   mlp_ratio    4          hidden width of a block's MLP, in hidden_size
//   null_class   true       a learned embedding of "no class"; without it, zeros
//   learn_sigma  false      2C channels, the first C of which count; the published weights have
//                           them, no loss here trains the others
//   frequency_shift  0      taken from the divisor of the timestep embedding's exponents;
//                           diffusers' has 1
//   mlp_eps      1e-6       of the norm before each MLP; diffusers' may have 1e-5
//
// The timestep embedding gets c_noise as it is: the index of the step for weights of DiT, t in [0,
// 1] from noise to data for those of SiT.
#include "edmund/networks/dit.h"

#include <ATen/ATen.h>
#include <cmath>
#include <string>

namespace edmund {

DiT::DiT(const Config& config) : config_(config) {
  const auto& c = config_;
  TORCH_CHECK(c.image.height % c.patch == 0 && c.image.width % c.patch == 0, "DiT: images of ", c.image.height, "×",
              c.image.width, " do not split into patches of ", c.patch);
  TORCH_CHECK(c.hidden_size % c.heads == 0, "DiT: ", c.hidden_size, " channels do not split into ", c.heads, " heads");
  const std::int64_t E = c.hidden_size, out = (c.learn_sigma ? 2 : 1) * c.image.channels;
  x_embedder_ = register_module("x_embedder", std::make_shared<PatchEmbedding>(c.image.channels, c.patch, E));
  t_embedder_ = register_module("t_embedder", std::make_shared<TimestepEmbedding>(E, 256, c.frequency_shift));
  if (c.num_classes > 0)
    y_embedder_ = register_module("y_embedder", std::make_shared<LabelEmbedding>(c.num_classes, c.null_class, E));
  positions_ = register_buffer(
      "pos_embed", grid_embedding(E, c.image.height / c.patch, c.image.width / c.patch).to(at::kFloat).unsqueeze(0));
  const auto blocks = register_module("blocks", std::make_shared<torch::nn::Module>());
  const auto hidden = static_cast<std::int64_t>(static_cast<double>(E) * c.mlp_ratio);
  for (std::int64_t i = 0; i < c.depth; ++i)
    blocks_.push_back(
        blocks->register_module(std::to_string(i), std::make_shared<DiTBlock>(E, c.heads, hidden, c.mlp_eps)));
  final_layer_ = register_module("final_layer", std::make_shared<DiTFinalLayer>(E, c.patch * c.patch * out));
}

Tensor DiT::tokens(const Tensor& x) const {
  const auto& image = config_.image;
  TORCH_CHECK(x.dim() == 4 && x.size(1) == image.channels && x.size(2) == image.height && x.size(3) == image.width,
              "DiT: images ", x.sizes(), ", expected [B, ", image.channels, ", ", image.height, ", ", image.width, "]");
  return x_embedder_->forward(x) + positions_.to(x.scalar_type());
}

Tensor DiT::embedding(const Tensor& c_noise, const Condition& condition, std::int64_t batch) const {
  TORCH_CHECK(c_noise.dim() == 1, "DiT: c_noise ", c_noise.sizes(), ", expected [B]");
  Tensor c = t_embedder_->forward(c_noise);  // [B or 1, hidden_size]
  if (y_embedder_) c = c + y_embedder_->forward(condition.labels, batch);
  return c.expand({batch, c.size(1)});
}

Tensor DiT::forward(const Tensor& x, const Tensor& c_noise, const Condition& condition) {
  const Tensor c = embedding(c_noise, condition, x.size(0));
  Tensor h = tokens(x);
  for (const auto& block : blocks_) h = block->forward(h, c);
  const auto& image = config_.image;
  const std::int64_t patch = config_.patch;
  return image_of_patches(final_layer_->forward(h, c), patch, image.height / patch, image.width / patch);
}

void DiT::initialize(std::uint64_t seed) { initialize_layers(*this, seed); }

std::shared_ptr<Network> make_dit(Options& options, const NetworkContext& context) {
  DiT::Config c{.image = context.image, .num_classes = context.num_classes};
  const auto size = options.choice("size", "S", {"S", "B", "L", "XL"}, "preset of hidden_size, depth and heads");
  if (size == "B") c.hidden_size = 768, c.depth = 12, c.heads = 12;
  if (size == "L") c.hidden_size = 1024, c.depth = 24, c.heads = 16;
  if (size == "XL") c.hidden_size = 1152, c.depth = 28, c.heads = 16;
  c.patch = options.integer("patch", c.patch, between(1, 64), "pixels along a side of a patch");
  c.hidden_size = options.integer("hidden_size", c.hidden_size, between(4, 16384),
                                  "width of the tokens: a multiple of 4 and of heads");
  c.depth = options.integer("depth", c.depth, between(1, 1024), "blocks");
  c.heads = options.integer("heads", c.heads, between(1, 1024), "of the attention");
  c.mlp_ratio = options.real("mlp_ratio", c.mlp_ratio, {.low = 0.25, .high = 64.0},
                             "hidden width of a block's MLP, in hidden_size");
  c.null_class = options.flag("null_class", c.null_class, "learned embedding of \"no class\"; without it, zeros");
  c.learn_sigma = options.flag("learn_sigma", c.learn_sigma,
                               "as many output channels again, for the variance; not used in sampling");
  c.frequency_shift = options.real("frequency_shift", c.frequency_shift, between(-100, 100),
                                   "taken from the divisor of the timestep embedding's exponents");
  c.mlp_eps = options.real("mlp_eps", c.mlp_eps, inside(0, 1), "of the norm before each MLP");
  const auto& image = c.image;
  const bool tiles = image.height % c.patch == 0 && image.width % c.patch == 0;
  options.check(tiles, "patch", "{} does not divide images of {}×{}", c.patch, image.height, image.width);
  const bool splits = c.hidden_size % 4 == 0 && c.hidden_size % c.heads == 0;
  options.check(splits, "hidden_size", "expected a multiple of 4 and of the {} heads, found {}", c.heads,
                c.hidden_size);
  // Mistakes are recorded; a small network stands in until all of them are reported.
  if (!tiles) c.patch = 1;
  if (!tiles || !splits) c.hidden_size = 4, c.heads = 1, c.depth = 1;
  return std::make_shared<DiT>(c);
}

}  // namespace edmund
