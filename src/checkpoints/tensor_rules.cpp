#include "tensor_rules.h"

#include "edmund/core/error.h"
#include "edmund/core/text.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <set>

namespace edmund {
namespace {

using Form = TensorRule::Form;

Tensor here(const TensorRule& rule, const std::vector<Tensor>& parts, const std::string& file) {
  if (rule.form == Form::kSame) return parts.front();
  for (const Tensor& part : parts)
    require(part.sizes() == parts.front().sizes() && part.dim() > 0, "{}: tensor {}: unequal shapes of q, k and v",
            file, in_quotes(rule.theirs.front()));
  if (rule.form == Form::kStacked) return at::cat(parts);
  if (rule.form == Form::kCopies) {
    for (std::size_t i = 1; i < parts.size(); ++i)
      require(parts[i].equal(parts[0]), "{}: tensor {} differs from {}; here they are one", file,
              in_quotes(rule.theirs[i]), in_quotes(rule.theirs[0]));
    return parts.front();
  }
  // [C, 3, …] → [3C, …]
  Tensor joined = parts.size() == 1 ? parts.front() : at::stack(parts, 1).flatten(0, 1);
  // some files have 1×1 convolutions there too
  if (joined.dim() == 4 && joined.size(2) == 1 && joined.size(3) == 1) return joined;
  return joined.dim() == 2 ? joined.unsqueeze(2).unsqueeze(3) : joined;
}

std::vector<Tensor> there(const TensorRule& rule, const Tensor& ours) {
  if (rule.form == Form::kSame) return {ours};
  if (rule.form == Form::kCopies) return std::vector<Tensor>(rule.theirs.size(), ours);
  if (rule.form == Form::kStacked) return ours.chunk(3);
  const Tensor flat = ours.dim() == 4 ? ours.flatten(1) : ours;
  if (rule.form == Form::kPointwise) return {flat};
  const Tensor split = flat.unflatten(0, {-1, 3});
  return {split.select(1, 0), split.select(1, 1), split.select(1, 2)};
}

}  // namespace

void add_layer(TensorRules& rules, const std::string& ours, const std::vector<std::string>& theirs, Form form) {
  for (const std::string part : {".weight", ".bias"}) {
    TensorRule rule{.ours = ours + part, .form = form};
    for (const auto& name : theirs) rule.theirs.push_back(name + part);
    rules.push_back(std::move(rule));
  }
}

NamedTensors tensors_here(const TensorRules& rules, const std::map<std::string, Tensor>& theirs,
                          const std::string& file) {
  NamedTensors out;
  std::set<std::string> used;
  for (const TensorRule& rule : rules) {
    std::vector<Tensor> parts;
    for (const auto& name : rule.theirs) {
      const auto found = theirs.find(name);
      require(found != theirs.end(), "{}: tensor {} is missing", file, in_quotes(name));
      require(found->second.is_floating_point(), "{}: tensor {} does not hold real numbers", file, in_quotes(name));
      parts.push_back(found->second.to(at::kFloat));
      used.insert(name);
    }
    out.emplace_back(rule.ours, rule.form == Form::kConstant ? rule.constant : here(rule, parts, file).contiguous());
  }
  for (const auto& [name, tensor] : theirs)
    require(used.contains(name), "{}: tensor {} belongs to no part of the network that its settings describe", file,
            in_quotes(name));
  return out;
}

std::map<std::string, Tensor> tensors_there(const TensorRules& rules, const NamedTensors& ours) {
  const std::map<std::string, Tensor> given(ours.begin(), ours.end());
  std::map<std::string, Tensor> out;
  for (const TensorRule& rule : rules) {
    if (rule.form == Form::kConstant) continue;
    const auto found = given.find(rule.ours);
    require(found != given.end(), "the network has no tensor {}", in_quotes(rule.ours));
    const auto parts = there(rule, found->second);
    for (std::size_t i = 0; i < rule.theirs.size(); ++i) out[rule.theirs[i]] = parts[i].contiguous();
  }
  return out;
}

std::vector<LowRank> layers_there(const TensorRules& rules, const std::vector<LowRank>& ours) {
  constexpr std::string_view kWeight = ".weight";
  std::vector<LowRank> out;
  for (const LowRank& layer : ours) {
    const auto rule = std::ranges::find(rules, layer.layer + std::string(kWeight), &TensorRule::ours);
    require(rule != rules.end() && rule->form != Form::kConstant, "layer {} has no counterpart there",
            in_quotes(layer.layer));
    // what splits a weight splits the factor with its rows
    const auto parts = there(*rule, layer.B);
    for (std::size_t i = 0; i < rule->theirs.size(); ++i) {
      LowRank part = layer;
      part.layer = rule->theirs[i].substr(0, rule->theirs[i].size() - kWeight.size());
      part.B = parts[i];
      if (parts[i].dim() < layer.B.dim()) part.A = layer.A.flatten(1);
      out.push_back(std::move(part));
    }
  }
  return out;
}

}  // namespace edmund
