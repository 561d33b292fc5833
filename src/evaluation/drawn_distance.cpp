#include "edmund/evaluation/drawn_distance.h"

#include <ATen/ATen.h>
#include <cmath>
#include <map>
#include <utility>

namespace edmund {
namespace {

std::optional<double> error_of(const Tensor& influence) {
  if (!influence.defined() || influence.numel() < 2) return std::nullopt;
  return influence.std().item<double>() / std::sqrt(static_cast<double>(influence.numel()));
}

}  // namespace

std::vector<Tensor> rows_by_class(const Tensor& labels, std::int64_t count) {
  if (!labels.defined()) return {at::arange(count, at::kLong)};
  TORCH_CHECK(labels.dim() == 1 && labels.size(0) == count, "labels ", labels.sizes(), " of ", count, " images");
  const Tensor plain = labels.to(at::kCPU, at::kLong).contiguous();
  const auto* label = plain.const_data_ptr<std::int64_t>();
  std::map<std::int64_t, std::vector<std::int64_t>> by_class;
  for (std::int64_t i = 0; i < count; ++i) by_class[label[i]].push_back(i);
  std::vector<std::int64_t> single;
  std::vector<std::vector<std::int64_t>> all;
  for (auto& [name, rows] : by_class) {
    if (rows.size() > 1)
      all.push_back(std::move(rows));
    else
      single.push_back(rows.front());
  }
  // one alone has no spread: it joins another class
  if (single.size() > 1 || all.empty())
    all.push_back(std::move(single));
  else
    all.back().insert(all.back().end(), single.begin(), single.end());
  std::vector<Tensor> out;
  for (const auto& rows : all) out.push_back(at::tensor(rows, at::kLong));
  return out;
}

Tensor in_proportion(const Tensor& order, const Tensor& labels) {
  if (!labels.defined()) return order;
  const Tensor own = labels.to(at::kCPU, at::kLong).index_select(0, order);
  // of its class that comes before, of each row
  Tensor share = at::empty({order.numel()}, at::kDouble);
  for (const Tensor& rows : rows_by_class(own, order.numel()))
    share.index_copy_(0, rows, (at::arange(rows.numel(), at::kDouble) + 0.5) / static_cast<double>(rows.numel()));
  return order.index_select(0, at::argsort(share, /*stable=*/true, 0, false));
}

Tensor within_classes(const Tensor& influence, const Tensor& labels) {
  if (!influence.defined() || influence.numel() < 2) return influence;
  const auto N = static_cast<double>(influence.numel());
  Tensor out = at::zeros_like(influence);
  for (const Tensor& rows : rows_by_class(labels, influence.numel())) {
    const auto n = static_cast<double>(rows.numel());
    const Tensor own = influence.index_select(0, rows);
    out.index_copy_(0, rows, (own - own.mean()) * std::sqrt(n / (n - 1) * ((N - 1) / N)));
  }
  return out;
}

std::optional<double> DrawnDistance::error() const { return error_of(influence); }

std::optional<double> paired_error(const DrawnDistance& a, const DrawnDistance& b) {
  const bool both = a.influence.defined() && b.influence.defined() && a.influence.sizes() == b.influence.sizes();
  return both ? error_of(a.influence - b.influence) : std::nullopt;
}

}  // namespace edmund
