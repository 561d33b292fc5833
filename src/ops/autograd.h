#pragma once

#include "edmund/core/tensor.h"

#include <algorithm>
#include <ATen/core/grad_mode.h>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <torch/csrc/autograd/custom_function.h>
#include <utility>

/// What the fast operators of both devices need to take part in autograd.
namespace edmund::ops {

/// x with its memory in the order [B, H, W, C].
inline Tensor channels_last(const Tensor& x) { return x.contiguous(at::MemoryFormat::ChannelsLast); }

/// float32 and contiguous, undefined if x is.
inline Tensor plain(const Tensor& x) { return x.defined() ? x.to(at::kFloat).contiguous() : x; }

/// Whether autograd must record an operation on these.
inline bool wants_gradient(std::initializer_list<const Tensor*> inputs) {
  return at::GradMode::is_enabled() &&
         std::any_of(inputs.begin(), inputs.end(), [](const Tensor* x) { return x->defined() && x->requires_grad(); });
}

/// autograd::Function takes a tensor that may be undefined as an optional, and numbers only those
/// that are there; so each function notes itself which of its inputs want gradients: bit i for
/// input i.
inline std::optional<Tensor> if_defined(const Tensor& x) { return x.defined() ? std::optional(x) : std::nullopt; }

inline std::int64_t wanted_gradients(std::initializer_list<const std::optional<Tensor>*> inputs) {
  std::int64_t bits = 0, bit = 1;
  for (const auto* input : inputs) {
    if (input->has_value() && (*input)->requires_grad()) bits |= bit;
    bit <<= 1;
  }
  return bits;
}

/// Which inputs want gradients: reads the bits of wanted_gradients().
class InputGrads {
 public:
  explicit InputGrads(std::int64_t bits) : bits_(bits) {}
  bool operator()(int input) const { return (bits_ >> input & 1) != 0; }

 private:
  std::int64_t bits_;
};

/// What a call is beside its tensors, kept from forward to backward.
template <typename T>
struct SavedValue : torch::CustomClassHolder {
  explicit SavedValue(T value_) : value(std::move(value_)) {}
  T value;
};
template <typename T>
void save_value(torch::autograd::AutogradContext* ctx, const T& value) {
  ctx->saved_data["value"] = c10::IValue::make_capsule(c10::make_intrusive<SavedValue<T>>(value));
}
template <typename T>
T saved_value(torch::autograd::AutogradContext* ctx) {
  return c10::static_intrusive_pointer_cast<SavedValue<T>>(ctx->saved_data["value"].toCapsule())->value;
}

}  // namespace edmund::ops
