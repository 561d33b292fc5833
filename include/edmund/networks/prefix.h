#pragma once

#include "edmund/core/tensor.h"

#include <cstdint>
#include <memory>
#include <string>
#include <torch/nn/module.h>
#include <utility>
#include <vector>

namespace edmund {

/// Learned tokens beside those of the image: what queries find among them is added to what they
/// find in the image,
///
///   softmax(q·kᵀ/√c)·v + strength·softmax(q·keyᵀ/√c)·value
///
/// with a softmax of its own and values that start at zero, so that training starts at the frozen
/// network (Zhang et al. 2023, LLaMA-Adapter, whose gate is left out since the values do its work;
/// prefix tuning of Li & Liang 2021 has one softmax over both).
class AttentionPrefix : public torch::nn::Module {
 public:
  /// key, value [tokens, width].
  AttentionPrefix(const Tensor& key, const Tensor& value, double strength = 1.0);
  /// The second term, [B, width, H, W], for qkv as ops::attention() takes it.
  Tensor attended(const Tensor& qkv, std::int64_t heads) const;
  /// The same for tokens as ops::token_attention() takes them: [B, L, 3·width] → [B, L, width].
  Tensor attended_tokens(const Tensor& qkv, std::int64_t heads) const;
  const Tensor& key() const { return key_; }
  const Tensor& value() const { return value_; }

 private:
  Tensor found(const Tensor& q) const;  // q [B, heads, L, c]

  Tensor key_, value_;
  double strength_;
};

/// A block whose attention may be given prefixes.
class Attending {
 public:
  virtual ~Attending() = default;
  /// Channels of its attention; 0: it has none.
  virtual std::int64_t attention_width() const = 0;
  void add_prefix(std::shared_ptr<AttentionPrefix> prefix) { prefixes_.push_back(std::move(prefix)); }
  const std::vector<std::shared_ptr<AttentionPrefix>>& prefixes() const { return prefixes_; }

 private:
  std::vector<std::shared_ptr<AttentionPrefix>> prefixes_;
};

/// The prefixes of one block.
struct BlockPrefix {
  std::string block;  // its name in the network
  Tensor key, value;  // [tokens, width]
};

}  // namespace edmund
