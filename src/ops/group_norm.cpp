#include "edmund/ops/ops.h"
#include "fast.h"
#include "random_words.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/group_norm.h>
#include <ATen/ops/silu.h>
#include <cmath>

namespace edmund::ops {
namespace {

// 0 or 1/(1-p) for each element of x: element n of image i is kept if word n of (seed, kDropout,
// samples[i], layer) is at least p·2^32.
Tensor dropout_factors(const Tensor& x, const GroupNorm& args) {
  const Tensor mask = at::empty(x.sizes(), at::kFloat);
  auto* data = mask.data_ptr<float>();
  const std::int64_t count = x.size(0) == 0 ? 0 : x.numel() / x.size(0);
  const auto limit = static_cast<std::uint64_t>(std::ldexp(args.dropout, 32));
  draw_words(args.key->seed, Stream::kDropout, samples_of(*args.key), args.layer, count,
             [&](std::int64_t row, std::int64_t first, std::span<const std::uint32_t> words) {
               float* to = data + row * count + first;
               const auto n = std::min<std::int64_t>(static_cast<std::int64_t>(words.size()), count - first);
               for (std::int64_t i = 0; i < n; ++i) to[i] = words[static_cast<std::size_t>(i)] >= limit ? 1.0F : 0.0F;
             });
  return mask.to(x.device(), x.scalar_type()).mul_(1.0 / (1.0 - args.dropout));
}

}  // namespace

std::vector<std::int64_t> samples_of(const DropoutKey& key) {
  if (!key.positions.defined()) return key.samples;
  const Tensor host = key.positions.cpu().contiguous();
  return {host.const_data_ptr<std::int64_t>(), host.const_data_ptr<std::int64_t>() + host.numel()};
}

Tensor group_norm_silu(const Tensor& x, const GroupNorm& args) {
  TORCH_CHECK(x.dim() == 4 && args.groups > 0 && x.size(1) % args.groups == 0, "group_norm_silu: ", x.sizes(), " in ",
              args.groups, " groups");
  TORCH_CHECK(args.dropout >= 0.0 && args.dropout < 1.0, "group_norm_silu: dropout ", args.dropout);
  const std::int64_t keys = args.key == nullptr             ? x.size(0)
                            : args.key->positions.defined() ? args.key->positions.size(0)
                                                            : static_cast<std::int64_t>(args.key->samples.size());
  TORCH_CHECK(args.dropout == 0.0 || keys == x.size(0), "dropout: ", keys, " keys for a batch of ", x.size(0));
  const Timed timed([&] { return described(args.silu ? "group norm + silu" : "group norm", x, x.size(1)); });
  if (fast_inner(x, args.weight)) return cpu::group_norm_silu(x, args);
  if (const auto* gpu = fast_cuda(x)) return gpu->group_norm_silu(x, args);
  const auto dtype = x.scalar_type();
  const auto wide = dtype == at::kDouble ? at::kDouble : at::kFloat;
  Tensor y = at::group_norm(x.to(wide), args.groups, args.weight.to(wide), args.bias.to(wide), args.eps).to(dtype);
  if (args.scale.defined()) y = y * (args.scale + 1).unsqueeze(2).unsqueeze(3);
  if (args.shift.defined()) y = y + args.shift.unsqueeze(2).unsqueeze(3);
  if (args.silu) y = at::silu(y);
  if (args.key != nullptr && args.dropout > 0.0) y = y * dropout_factors(x, args);
  return y;
}

}  // namespace edmund::ops
