#include "packed_weights.h"

#include "cpu/bf16_kernels.h"
#include "edmund/ops/ops.h"
#include "fast.h"
#include "packed_weight_cache.h"
#include "parallel.h"

#include <algorithm>
#include <array>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <atomic>
#include <c10/core/InferenceMode.h>
#include <cstdlib>

namespace edmund::ops {
namespace {

std::atomic<std::uint64_t>& generation() {
  static std::atomic<std::uint64_t> count = 0;
  return count;
}

}  // namespace

void weights_changed() { ++generation(); }

cuda::ConvContext conv_context() { return {.precision = precision(), .weights = generation()}; }

namespace cpu {
namespace {

using Sample = std::array<float, 16>;
constexpr long kFloatsOfTask = 16'384;  // fewer are not worth a thread's start

// Values spread over the weight: one more guard against a weight that was modified without
// notification.
Sample sample_of(const Tensor& weight) {
  Sample out;
  const float* data = weight.const_data_ptr<float>();
  const std::int64_t last = weight.numel() - 1;
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = data[last * static_cast<std::int64_t>(i) / static_cast<std::int64_t>(out.size() - 1)];
  return out;
}

struct Fingerprint {
  const KernelTable* table;
  const Bf16Kernels* pairs;
  Sample sample;
  bool operator==(const Fingerprint&) const = default;
};

std::atomic<std::size_t>& made() {
  static std::atomic<std::size_t> count = 0;
  return count;
}

Tensor matrix_packed(const Tensor& weight, bool backward, Multiply multiply) {
  const auto* const pairs = multiply == Multiply::kBfloat16 ? bf16_kernels() : nullptr;
  const auto& table = kernel_table();
  const Tensor plain = weight.contiguous();
  const long K = weight.size(0), C = weight.size(1);
  const long depth = backward ? K : C, columns = backward ? C : K, stored = pairs != nullptr ? (depth + 1) / 2 : depth;
  const long panels = (columns + table.panel - 1) / table.panel;
  Tensor packed = at::empty({panels * stored * table.panel}, at::kFloat);
  const long d_stride = backward ? C : 1, n_stride = backward ? 1 : C;
  const float* from = plain.const_data_ptr<float>();
  float* to = packed.data_ptr<float>();
  parallel_for(0, panels, 1 + kFloatsOfTask / (depth * table.panel), [&](std::int64_t begin, std::int64_t end) {
    const long first = begin * table.panel, count = std::min<long>(end * table.panel, columns) - first;
    float* panel = to + first * stored;
    if (pairs != nullptr) {
      pairs->pack(from + first * n_stride, depth, count, d_stride, n_stride, numbers<Pair>(panel));
    } else {
      table.pack(from + first * n_stride, depth, count, d_stride, n_stride, panel);
    }
  });
  return packed;
}

Tensor pack(const Tensor& weight, const Packing& packing) {
  ++made();
  switch (packing.layout) {
    case Layout::kMatrix: return matrix_packed(weight, packing.backward, packing.multiply);
    case Layout::kWinograd: return winograd_packed(weight, packing.backward, packing.multiply);
    case Layout::kDirect: return direct_packed(weight, packing.backward);
    case Layout::kLibrary: return weight.to(at::kBFloat16).contiguous(at::MemoryFormat::ChannelsLast);
  }
  std::abort();
}

}  // namespace

std::size_t packed_weight_count() { return made(); }

Tensor packed_weight(const Tensor& weight, const Packing& packing, Caching caching) {
  static PackedWeightCache<Packing, Fingerprint> cache;
  if (caching == Caching::kOff || weight.is_inference() || !weight.is_contiguous()) return pack(weight, packing);
  return cache.get(weight, packing, generation(), {&kernel_table(), bf16_kernels(), sample_of(weight)},
                   [&] { return pack(weight, packing); });
}

Tensor kept_filters(const Tensor& weight, double gain) {
  static PackedWeightCache<double, Fingerprint> cache;  // by gain
  const auto make = [&] {
    const c10::InferenceMode off(false);  // what is packed of it is kept too
    const at::NoGradGuard no_grad;
    return unit_filters(weight, gain);
  };
  if (weight.is_inference() || !weight.is_contiguous()) return unit_filters(weight, gain);
  return cache.get(weight, gain, generation(), {&kernel_table(), bf16_kernels(), sample_of(weight)}, make);
}

}  // namespace cpu
}  // namespace edmund::ops
