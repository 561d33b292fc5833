#include "edmund/evaluation/metrics.h"

#include "edmund/core/philox.h"
#include "edmund/core/text.h"
#include "edmund/evaluation/drawn_distance.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <functional>
#include <utility>
#include <vector>

namespace edmund {

MetricFunction class_scores, density_coverage_scores, energy_scores, frechet_infinity_scores, frechet_scores,
    kernel_scores, nearest_scores, precision_recall_scores;

namespace {

constexpr MetricEntry kMetrics[] = {
    {.name = "density_coverage",
     .about = "share of the data that is covered, and how densely",
     .source = "Naeem et al. 2020",
     .make = density_coverage_scores,
     .degree = 0},
    {.name = "energy",
     .about = "energy distance of the features: 0 for equal distributions alone",
     .source = "Székely & Rizzo 2013",
     .make = energy_scores,
     .symmetric = true,
     .degree = 1},
    {.name = "frechet",
     .about = "Fréchet distance of the features; FID with Inception-v3's",
     .source = "Heusel et al. 2017",
     .make = frechet_scores,
     .degree = 2},
    {.name = "frechet_infinity",
     .about = "Fréchet distance, continued to infinitely many images",
     .source = "Chong & Forsyth 2020",
     .make = frechet_infinity_scores,
     .degree = 2},
    {.name = "inception_score",
     .about = "how sure a classifier is of each image and how many classes it sees",
     .source = "Salimans et al. 2016",
     .make = class_scores},
    {.name = "kid",
     .about = "kernel distance of the features; KID with Inception-v3's",
     .source = "Bińkowski et al. 2018",
     .make = kernel_scores,
     .symmetric = true},
    {.name = "nearest",
     .about = "how near the images come to real ones: whether they are copies",
     .source = "Alaa et al. 2022",
     .make = nearest_scores},
    {.name = "precision_recall",
     .about = "share of images that look real, and of real ones that are met",
     .source = "Kynkäänniemi et al. 2019",
     .make = precision_recall_scores,
     .degree = 0},
};

/// The indices 0 … size-1 in an order drawn by (seed, draw), [size].
Tensor shuffled(std::int64_t size, std::uint64_t seed, std::uint64_t draw) {
  const Tensor order = at::empty({size}, at::kLong);
  auto* out = order.mutable_data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < size; ++i)
    out[i] = static_cast<std::int64_t>(
        permuted(static_cast<std::uint64_t>(i), static_cast<std::uint64_t>(size), seed, draw));
  return order;
}

/// `total` shared out by these counts, the rest by the largest remainders (Hamilton); no more than
/// there are.
std::vector<std::int64_t> apportioned(std::int64_t total, const std::vector<std::int64_t>& counts) {
  std::int64_t all = 0, given = 0;
  for (const auto count : counts) all += count;
  std::vector<std::int64_t> out, order;
  std::vector<double> remainders;
  for (const auto count : counts) {
    const double exact = static_cast<double>(total) * static_cast<double>(count) / static_cast<double>(all);
    out.push_back(std::min(count, static_cast<std::int64_t>(exact)));
    remainders.push_back(exact - static_cast<double>(out.back()));
    order.push_back(std::ssize(order));
    given += out.back();
  }
  std::ranges::stable_sort(order, std::greater(),
                           [&](std::int64_t i) { return remainders[static_cast<std::size_t>(i)]; });
  for (const auto i : order)
    if (given < total && out[static_cast<std::size_t>(i)] < counts[static_cast<std::size_t>(i)])
      ++out[static_cast<std::size_t>(i)], ++given;
  return out;
}

/// The first `count` rows of `order` in which each class has its part, and the other rows.
std::pair<Tensor, Tensor> chosen_rows(const Tensor& order, const Tensor& labels, std::int64_t count) {
  const Tensor classes = labels.defined() ? labels.index_select(0, order).contiguous() : at::zeros_like(order);
  const auto* label = classes.const_data_ptr<std::int64_t>();
  const auto* row = order.const_data_ptr<std::int64_t>();
  std::vector<std::int64_t> counts(static_cast<std::size_t>(classes.max().item<std::int64_t>()) + 1);
  for (std::int64_t i = 0; i < order.numel(); ++i) ++counts[static_cast<std::size_t>(label[i])];
  std::vector<std::int64_t> left = apportioned(count, counts), first, others;
  for (std::int64_t i = 0; i < order.numel(); ++i)
    (left[static_cast<std::size_t>(label[i])]-- > 0 ? first : others).push_back(row[i]);
  return {at::tensor(first, at::kLong), at::tensor(others, at::kLong)};
}

}  // namespace

std::span<const MetricEntry> metric_table() { return kMetrics; }

std::string metric_fault(std::string_view name) {
  const auto known = names(metric_table());
  if (std::ranges::find(known, name) != known.end()) return {};
  // Papers call the distance by its features.
  if (name == "fid" || name == "FID")
    return format("unknown metric {}; the Fréchet distance is 'frechet'", in_quotes(name));
  return format("unknown metric {}{}", in_quotes(name), suggestion(name, known));
}

std::pair<Tensor, Tensor> parted(const MetricInput& input, std::int64_t first, std::uint64_t draw) {
  const auto [own, others] = chosen_rows(shuffled(input.real.size(0), input.seed, draw), input.labels, first);
  return {input.real.index_select(0, own), input.real.index_select(0, others)};
}

EqualSets equal_sets(const MetricInput& input) {
  const std::int64_t count = std::min({input.real.size(0) / 2, input.generated.size(0), input.noise.size(0)});
  const auto [own, others] = chosen_rows(shuffled(input.real.size(0), input.seed, 0), input.labels, count);
  const Tensor some =
      in_proportion(shuffled(input.generated.size(0), input.seed, 1), input.drawn_labels).narrow(0, 0, count);
  return {.real = input.real.index_select(0, own),
          .held_out = input.real.index_select(0, chosen_rows(others, input.labels, count).first),
          .generated = input.generated.index_select(0, some),
          .noise = input.noise.narrow(0, 0, count)};
}

}  // namespace edmund
