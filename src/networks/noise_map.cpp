#include "edmund/networks/noise_map.h"

#include "edmund/networks/condition.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <cmath>
#include <numbers>

namespace edmund {
namespace {

// As torch.nn.Linear draws them.
const Init kInit{.draw = Draw::kKaimingUniform, .weight = std::sqrt(1.0 / 3), .bias = std::sqrt(1.0 / 3)};

}  // namespace

EmbeddingTable::EmbeddingTable(std::int64_t rows, std::int64_t width) {
  weight_ = register_parameter("weight", at::zeros({rows, width}));
}

void EmbeddingTable::initialize(WeightSource& source) {
  const at::NoGradGuard no_grad;
  weight_.copy_(source.normal(weight_.sizes()));
}

NoiseMap::NoiseMap(const Config& config, std::int64_t width) : config_(config) {
  const auto& c = config_;
  TORCH_CHECK(c.channels >= 2 && (c.kind != Kind::kFourier || c.channels % 2 == 0), "NoiseMap: ", c.channels,
              " channels");
  TORCH_CHECK(c.kind != Kind::kPositional || static_cast<double>(c.channels / 2) != c.shift, "NoiseMap: shift ",
              c.shift, " of ", c.channels, " channels");
  if (c.kind == Kind::kFourier) freqs_ = register_buffer("freqs", at::zeros({c.channels / 2}));
  if (c.kind == Kind::kTable) table_ = register_module("table", std::make_shared<EmbeddingTable>(c.rows, c.channels));
  in_ = register_module("layer0", std::make_shared<Linear>(c.channels, width, kInit));
  out_ = register_module("layer1", std::make_shared<Linear>(width, width, kInit));
}

void NoiseMap::initialize(WeightSource& source) {
  if (freqs_.defined()) freqs_.copy_(source.normal(freqs_.sizes()) * config_.scale);
}

Tensor NoiseMap::waves(const Tensor& c_noise) const {
  const auto& c = config_;
  TORCH_CHECK(c_noise.dim() == 1, "network: c_noise ", c_noise.sizes(), ", expected [B]");
  if (c.kind == Kind::kTable) return at::embedding(table_->weight(), c_noise.round().to(at::kLong));
  Tensor angles;
  if (c.kind == Kind::kPositional) {
    const std::int64_t n = c.channels / 2;
    const Tensor i = at::arange(n, c_noise.options().dtype(at::kFloat));
    angles = at::outer(c_noise.to(at::kFloat), at::exp(i * -std::log(10000.0) / (static_cast<double>(n) - c.shift)));
  } else {
    const auto wide = at::promote_types(at::kFloat, freqs_.scalar_type());
    angles = at::outer(c_noise.to(wide), freqs_.to(wide)) * 2 * std::numbers::pi;
  }
  const Tensor cos = angles.cos(), sin = angles.sin();
  const Tensor out = c.order == Order::kCosSin ? at::cat({cos, sin}, 1) : at::cat({sin, cos}, 1);
  return c.channels % 2 == 0 ? out : at::constant_pad_nd(out, {0, 1});
}

Tensor NoiseMap::embedded(const Tensor& waves) const {
  return out_->forward(at::silu(in_->forward(waves.to(in_->weight().scalar_type()))));
}

ClassMap::ClassMap(Kind kind, std::int64_t classes, const NoiseMap::Config& noise, std::int64_t width)
    : kind_(kind), classes_(classes), logarithm_(noise.kind == NoiseMap::Kind::kFourier) {
  TORCH_CHECK(kind != Kind::kIdentity || classes == width, "ClassMap: ", classes, " classes as an embedding of ",
              width);
  if (kind == Kind::kTable) table_ = register_module("table", std::make_shared<EmbeddingTable>(classes, width));
  if (kind != Kind::kNumber) return;
  in_ = register_module("layer0", std::make_shared<Linear>(noise.channels, width, kInit));
  out_ = register_module("layer1", std::make_shared<Linear>(width, width, kInit));
}

Tensor ClassMap::forward(const Tensor& labels, std::int64_t batch, const NoiseMap& noise,
                         const at::TensorOptions& options) const {
  const Tensor rows = class_rows(labels, classes_, batch, options);  // [B or 1, classes]
  if (kind_ == Kind::kIdentity) return rows;
  if (kind_ == Kind::kTable) return at::mm(rows, table_->weight());
  const auto wide = at::promote_types(at::kFloat, rows.scalar_type());
  const Tensor shares = rows.to(wide);
  const Tensor number = at::mv(shares, at::arange(classes_, shares.options()));
  const Tensor waves = noise.waves(logarithm_ ? number.log() : number);
  const Tensor e = out_->forward(at::silu(in_->forward(waves.to(rows.scalar_type()))));
  return e * rows.sum(1, /*keepdim=*/true);  // nothing for "no class"
}

}  // namespace edmund
