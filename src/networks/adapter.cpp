// adapter — few weights that are trained on a frozen network (training.init names its run).
//
//   none    all weights are trained
//   lora    low-rank changes of layers' weights, W + scale·B·A (Hu et al. 2022)
//     rank             4            of the changes
//     alpha            4            scale = alpha/rank
//     rank_stabilized  false        scale = alpha/√rank (Kalajdzievski 2023)
//     targets          [qkv, proj]  layers: the ends of their names, of whole parts, here those of
//                                   the attention; all: every convolution, linear layer and table
//
//   prefix  learned tokens in each attention layer of U-Nets and dit (networks/prefix.h)
//     tokens           8
//     targets          [all]        blocks: the ends of their names
//
// As in peft, A starts uniform in ±1/√fan_in and B at zero, of tables A at zero and B normal, so
// that training starts at the frozen network.
#include "edmund/networks/adapter.h"

#include "edmund/core/error.h"
#include "edmund/core/text.h"
#include "edmund/networks/layers.h"
#include "edmund/networks/network.h"
#include "edmund/networks/prefix.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <cmath>
#include <map>
#include <set>

namespace edmund {
namespace {

constexpr std::string_view kFactorA = "lora_A", kFactorB = "lora_B";
constexpr std::string_view kTableA = "lora_embedding_A", kTableB = "lora_embedding_B";

// One factor, under peft's name LAYER.lora_A.weight; of tables it has no `.weight`.
struct Factor : torch::nn::Module {
  explicit Factor(const Tensor& start) { weight = register_parameter("weight", start); }
  Tensor weight;
  double scale = 1.0;
};

struct LoraSettings {
  std::int64_t rank = 4;
  double scale = 1.0;
  std::vector<std::string> targets;
};

// "attn.qkv" fits "blocks.0.attn.qkv".
bool fits(std::string_view layer, std::string_view target) {
  return target == "all" || layer == target ||
         (layer.size() > target.size() && layer.ends_with(target) && layer[layer.size() - target.size() - 1] == '.');
}

template <typename Act>
void each_layer(const Network& network, const Act& act) {
  for (const auto& item : network.named_modules(/*name_prefix=*/"", /*include_self=*/false))
    if (auto* layer = dynamic_cast<Layer*>(item.value().get()); layer && layer->adaptable().defined())
      act(item.key(), *layer);
}

std::vector<std::string> last_parts(const Network& network) {
  std::set<std::string> out;
  each_layer(network, [&](const std::string& name, const Layer&) { out.insert(name.substr(name.rfind('.') + 1)); });
  return {out.begin(), out.end()};
}

void add_lora(const std::string& name, Layer& layer, const LoraSettings& settings, WeightSource& source) {
  const Tensor W = layer.adaptable();
  const at::TensorOptions options = W.options().requires_grad(false);
  const std::int64_t r = settings.rank;
  std::vector<std::int64_t> a(W.sizes().begin(), W.sizes().end()), b(a.size(), 1);
  a[0] = r;
  b[0] = W.size(0), b[1] = r;
  Tensor A = source.uniform(a) / std::sqrt(static_cast<double>(W.numel() / W.size(0))), B = at::zeros(b);
  if (layer.is_table()) {
    A = at::zeros({r, W.size(0)});
    B = source.normal({W.size(1), r});
  }
  const bool table = layer.is_table();
  const auto factor = [&](std::string_view part, const Tensor& start) {
    const auto out = layer.register_module(std::string(part), std::make_shared<Factor>(start.to(options)));
    out->scale = settings.scale;
    return out;
  };
  const auto first = factor(table ? kTableA : kFactorA, A), second = factor(table ? kTableB : kFactorB, B);
  // they are read where they lie in each call: a module moves its tensors by exchanging their data
  layer.change_weight([name, first, second, table, scale = settings.scale, shape = W.sizes().vec()] {
    return low_rank_change({name, first->weight, second->weight, scale, table}, shape, "adapter");
  });
}

Adapter make_lora(Options& options) {
  LoraSettings settings{.rank = options.integer("rank", 4, between(1, 65536), "of the changes of weights")};
  const double alpha = options.real("alpha", 4.0, above(0), "scale of the changes = alpha/rank");
  const bool stabilized = options.flag("rank_stabilized", false, "scale = alpha/√rank");
  const auto rank = static_cast<double>(settings.rank);
  settings.scale = alpha / (stabilized ? std::sqrt(rank) : rank);
  settings.targets = options.texts("targets", {"qkv", "proj"}, "layers: ends of their names; all: every one");
  return [settings](Network& network, std::uint64_t seed) {
    for (auto& parameter : network.parameters()) parameter.requires_grad_(false);
    const auto known = last_parts(network);
    std::set<std::string> missing(settings.targets.begin(), settings.targets.end());
    WeightSource source(~seed);  // other draws than those of the network's own weights
    std::vector<std::pair<std::string, Layer*>> layers;
    each_layer(network, [&](const std::string& name, Layer& layer) {
      for (const auto& target : settings.targets)
        if (fits(name, target)) {
          missing.erase(target);
          if (layers.empty() || layers.back().second != &layer) layers.emplace_back(name, &layer);
        }
    });
    const std::vector<std::string_view> names(known.begin(), known.end());
    if (!missing.empty())
      fail("targets: no layer's name ends with {}{}", in_quotes(*missing.begin()), suggestion(*missing.begin(), names));
    require(!layers.empty(), "targets: names no layer, so that nothing would be trained");
    for (const auto& [name, layer] : layers) add_lora(name, *layer, settings, source);
  };
}

Adapter make_prefix(Options& options) {
  const auto tokens = options.integer("tokens", 8, between(1, 65536), "learned tokens of an attention layer");
  const auto targets = options.texts("targets", {"all"}, "blocks: ends of their names; all: every one with attention");
  return [tokens, targets](Network& network, std::uint64_t seed) {
    for (auto& parameter : network.parameters()) parameter.requires_grad_(false);
    std::vector<std::pair<std::string, torch::nn::Module*>> blocks;
    for (const auto& item : network.named_modules(/*name_prefix=*/"", /*include_self=*/false)) {
      const auto* block = dynamic_cast<const Attending*>(item.value().get());
      const auto named = [&](const std::string& target) { return fits(item.key(), target); };
      if (block && block->attention_width() > 0 && std::ranges::any_of(targets, named))
        blocks.emplace_back(item.key(), item.value().get());
    }
    require(!blocks.empty(), "targets: no attention layer of that name takes a prefix in this network");
    WeightSource source(~seed);
    const at::TensorOptions place = network.parameters().front().options().requires_grad(false);
    for (const auto& [name, block] : blocks) {
      auto& attention = dynamic_cast<Attending&>(*block);
      const std::int64_t width = attention.attention_width();
      const auto prefix = std::make_shared<AttentionPrefix>(source.normal({tokens, width}).to(place),
                                                            at::zeros({tokens, width}, place));
      attention.add_prefix(block->register_module("prefix", prefix));
    }
  };
}

Adapter make_none(Options&) { return {}; }

constexpr Entry<AdapterFactory> kAdapters[] = {
    {"none", "all weights of the network are trained", "-", make_none},
    {"lora", "low-rank changes of layers' weights", "Hu et al. 2022", make_lora},
    {"prefix", "learned tokens in each attention layer", "Li & Liang 2021; Zhang et al. 2023", make_prefix},
};

}  // namespace

std::string underscored(std::string layer) {
  std::ranges::replace(layer, '.', '_');
  return layer;
}

Tensor low_rank_change(const LowRank& change, at::IntArrayRef shape, const std::string& where) {
  const Tensor &A = change.A, &B = change.B;
  bool fits = A.dim() >= 2 && B.dim() >= 2 && shape.size() >= 2 && A.numel() > 0 && B.size(1) == A.size(0);
  if (change.table) {
    fits = fits && A.dim() == 2 && B.dim() == 2 && A.size(1) == shape[0] && B.size(0) == shape[1];
  } else if (fits) {
    // a 1×1 convolution here may be a linear layer elsewhere
    fits = A.size(1) == shape[1] && A.numel() == A.size(0) * c10::multiply_integers(shape.slice(1)) &&
           B.size(0) == shape[0] && B.numel() == B.size(0) * B.size(1);
  }
  if (!fits)
    fail("{}: layer {}: lora_A {} and lora_B {} do not fit its weight {}", where, change.layer, A.sizes(), B.sizes(),
         shape);
  if (change.table) return change.scale * at::mm(B, A).t();
  return change.scale * at::mm(B.flatten(1), A.flatten(1)).view(shape);
}

std::span<const Entry<AdapterFactory>> adapter_table() { return kAdapters; }

Adapter make_adapter(Options& options) {
  return chosen(adapter_table(), options, "none", "few weights that are trained on a frozen network").make(options);
}

std::vector<LowRank> low_rank_layers(const Network& network) {
  std::vector<LowRank> out;
  each_layer(network, [&](const std::string& name, const Layer& layer) {
    const bool table = layer.is_table();
    std::shared_ptr<Factor> A, B;
    for (const auto& part : layer.named_children()) {
      if (part.key() == (table ? kTableA : kFactorA)) A = std::dynamic_pointer_cast<Factor>(part.value());
      if (part.key() == (table ? kTableB : kFactorB)) B = std::dynamic_pointer_cast<Factor>(part.value());
    }
    if (A && B) out.push_back({.layer = name, .A = A->weight, .B = B->weight, .scale = A->scale, .table = table});
  });
  return out;
}

void merge_adapter(Network& network) {
  each_layer(network, [](const std::string&, Layer& layer) {
    if (!layer.is_changed()) return;
    layer.keep_change();
    for (const auto part : {kFactorA, kFactorB, kTableA, kTableB})
      if (layer.named_children().contains(std::string(part))) layer.unregister_module(std::string(part));
  });
}

std::vector<BlockPrefix> prefixes(const Network& network) {
  std::vector<BlockPrefix> out;
  for (const auto& item : network.named_modules(/*name_prefix=*/"", /*include_self=*/false))
    if (const auto* block = dynamic_cast<const Attending*>(item.value().get()))
      for (const auto& prefix : block->prefixes()) out.push_back({item.key(), prefix->key(), prefix->value()});
  return out;
}

void add_prefixes(Network& network, const std::vector<BlockPrefix>& prefixes, double strength,
                  const std::string& file) {
  std::map<std::string, Attending*> blocks;
  at::TensorOptions options;
  for (const auto& parameter : network.parameters()) options = parameter.options().requires_grad(false);
  for (const auto& item : network.named_modules(/*name_prefix=*/"", /*include_self=*/false))
    if (auto* block = dynamic_cast<Attending*>(item.value().get())) blocks.emplace(item.key(), block);
  for (const auto& [name, key, value] : prefixes) {
    const auto found = blocks.find(name);
    require(found != blocks.end() && found->second->attention_width() > 0,
            "{}: the network has no block {} with attention; is it an adapter of another network?", file,
            in_quotes(name));
    require(key.dim() == 2 && key.sizes() == value.sizes() && key.size(1) == found->second->attention_width(),
            "{}: block {}: keys {} and values {}, expected [tokens, {}]", file, name, key.sizes(), value.sizes(),
            found->second->attention_width());
  }
  if (strength == 0.0) return;
  for (const auto& [name, key, value] : prefixes) {
    const auto prefix = std::make_shared<AttentionPrefix>(key.to(options), value.to(options), strength);
    for (auto& parameter : prefix->parameters()) parameter.requires_grad_(false);
    blocks.at(name)->add_prefix(prefix);
  }
}

void add_changes(Network& network, const std::vector<LowRank>& changes, double strength, const std::string& file) {
  const at::NoGradGuard no_grad;
  std::map<std::string, Layer*> layers;
  each_layer(network, [&](const std::string& name, Layer& layer) { layers.emplace(name, &layer); });
  std::vector<std::string_view> known;
  for (const auto& [name, layer] : layers) known.push_back(name);
  std::vector<std::pair<Tensor, Tensor>> all;  // complete before the first weight changes
  for (const LowRank& change : changes) {
    auto found = layers.find(change.layer);
    if (found == layers.end())
      found = std::ranges::find_if(layers, [&](const auto& layer) { return underscored(layer.first) == change.layer; });
    if (found == layers.end()) {
      const auto near = nearest_name(change.layer, known);
      fail("{}: the network has no layer {}{}; is it an adapter of another network?", file, in_quotes(change.layer),
           near ? format(" (it has {})", *near) : "");
    }
    const Tensor W = found->second->adaptable();
    LowRank here = change;
    here.table = found->second->is_table();
    here.A = here.A.to(W.options());
    here.B = here.B.to(W.options());
    here.scale *= strength;
    all.emplace_back(W, low_rank_change(here, W.sizes(), file));
  }
  if (strength == 0.0) return;
  for (auto& [W, delta] : all) W.add_(delta);
}

}  // namespace edmund
