#pragma once

#include "edmund/core/tensor.h"
#include "edmund/networks/adapter.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace edmund {

/// One tensor of a network here, and what it is in another project's file.
struct TensorRule {
  enum class Form {
    kSame,
    kPointwise,    // [O, I] there, a 1×1 convolution [O, I, 1, 1] here
    kInterleaved,  // q, k and v [C, …] there, one [3C, …, 1, 1] here with v fastest
    kStacked,      // q, k and v [C, …] there, one [3C, …] here with all of q first
    kCopies,       // the same several times there
    kConstant      // not there
  };
  std::string ours;
  std::vector<std::string> theirs = {};
  Form form = Form::kSame;
  Tensor constant = {};
};
using TensorRules = std::vector<TensorRule>;

/// Weight and bias of a layer.
void add_layer(TensorRules& rules, const std::string& ours, const std::vector<std::string>& theirs,
               TensorRule::Form form = TensorRule::Form::kSame);

/// Our tensors of theirs, in float32. Throws Error naming `file` and a tensor that is missing,
/// unknown, or of a shape that the rule does not fit.
NamedTensors tensors_here(const TensorRules& rules, const std::map<std::string, Tensor>& theirs,
                          const std::string& file);
/// Theirs of ours, bit for bit what tensors_here() would read back; of any dtype.
std::map<std::string, Tensor> tensors_there(const TensorRules& rules, const NamedTensors& ours);

/// Low-rank changes of layers as changes of the layers that they are there. Throws Error for a
/// layer that no rule knows.
std::vector<LowRank> layers_there(const TensorRules& rules, const std::vector<LowRank>& ours);

}  // namespace edmund
