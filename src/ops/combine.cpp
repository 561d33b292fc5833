#include "edmund/ops/combine.h"

#include "cpu/kernels.h"
#include "fast.h"

#include <algorithm>
#include <array>
#include <ATen/ops/empty.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <cstddef>
#include <iterator>
#include <span>
#include <vector>

namespace edmund::ops {
namespace {

const Tensor* tensor_of(const Term& term) { return std::get_if<Tensor>(&term.x); }
const Tensor& first_of(std::span<const Term> terms) { return std::get<Tensor>(terms[0].x); }

Tensor drawn(const Term& term, const Tensor& like) {
  const Tensor* x = tensor_of(term);
  return x != nullptr ? *x : normal(std::get<Draw>(term.x), like.sizes().slice(1));
}

Tensor reference(std::span<const Term> terms, at::ScalarType dtype) {
  const Tensor& first = first_of(terms);
  Tensor sum = terms[0].factor * first.to(at::kDouble);
  for (const Term& term : terms.subspan(1)) sum = sum + term.factor * drawn(term, first).to(at::kDouble);
  return sum.to(dtype);
}

// Images of one shape on one device, draws for as many samples there, no gradients.
bool fits(std::span<const Term> terms) {
  const Tensor& first = first_of(terms);
  return kernels() == Kernels::kFast && first.dim() == 4 && first.numel() > 0 &&
         std::all_of(terms.begin(), terms.end(), [&](const Term& term) {
           if (const auto* draw = std::get_if<Draw>(&term.x))
             return draw->samples.device() == first.device() && draw->samples.numel() == first.size(0);
           const Tensor& x = std::get<Tensor>(term.x);
           return x.device() == first.device() && x.sizes() == first.sizes() && at::isFloatingType(x.scalar_type()) &&
                  !wants_gradient({&x});
         });
}

bool is_channels_last(const Tensor& x) { return !x.is_contiguous() && x.is_contiguous(at::MemoryFormat::ChannelsLast); }

// In one of the two memory orders.
Tensor dense(const Tensor& x) { return is_channels_last(x) ? x : x.contiguous(); }

Tensor on_cpu(std::span<const Term> terms, at::ScalarType dtype, at::MemoryFormat order) {
  const Tensor& first = first_of(terms);
  const std::int64_t C = first.size(1), P = first.size(2) * first.size(3);
  const auto wide = [](at::ScalarType type) { return type == at::kFloat ? at::kFloat : at::kDouble; };
  const Tensor out = at::empty(first.sizes(), first.options().dtype(wide(dtype)).memory_format(order));
  std::vector<Tensor> images;
  for (const Term& term : terms) {
    const Tensor x = drawn(term, first);
    images.push_back(dense(x.to(wide(x.scalar_type()))));
  }
  // Elements in runs: all of them where they lie in one order, else the pixels of one channel.
  const bool alike = std::all_of(images.begin(), images.end(),
                                 [&](const Tensor& x) { return is_channels_last(x) == is_channels_last(out); });
  const auto place = [&](const Tensor& x, std::int64_t i) -> cpu::Numbers {
    const bool apart = !alike && is_channels_last(x);
    const std::int64_t at = apart ? i / (C * P) * C * P + i / P % C : i;
    auto* data = static_cast<std::byte*>(const_cast<void*>(x.const_data_ptr()));
    return {data + at * static_cast<std::int64_t>(x.element_size()), x.scalar_type() == at::kDouble, apart ? C : 1};
  };
  const std::int64_t run = alike ? 1 << 14 : P, runs = (out.numel() + run - 1) / run;
  at::parallel_for(0, runs, std::max<std::int64_t>(1, (1 << 16) / run), [&](std::int64_t begin, std::int64_t end) {
    std::vector<cpu::Scaled> parts(images.size());
    for (std::int64_t i = begin * run; i < std::min(end * run, out.numel()); i += run) {
      for (std::size_t k = 0; k < images.size(); ++k) parts[k] = {terms[k].factor, place(images[k], i)};
      cpu::kernel_table().combine(parts.data(), std::ssize(parts), std::min(run, out.numel() - i), place(out, i));
    }
  });
  return out.to(dtype);
}

Tensor on_gpu(std::span<const Term> terms, at::ScalarType dtype, at::MemoryFormat order) {
  std::vector<Term> images(terms.begin(), terms.end());
  for (Term& term : images)
    if (auto* x = std::get_if<Tensor>(&term.x)) *x = dense(*x);
  return cuda_operators().combine(images, dtype, order);
}

Tensor fast_sum(std::span<const Term> terms, at::ScalarType dtype, at::MemoryFormat order) {
  return first_of(terms).is_cuda() ? on_gpu(terms, dtype, order) : on_cpu(terms, dtype, order);
}

}  // namespace

Tensor combine(std::initializer_list<Term> terms) {
  std::vector<Term> given;
  std::copy_if(terms.begin(), terms.end(), std::back_inserter(given),
               [](const Term& term) { return tensor_of(term) == nullptr || tensor_of(term)->defined(); });
  TORCH_CHECK(!given.empty() && tensor_of(given[0]) != nullptr, "combine: the first term must be a tensor");
  const Tensor& first = first_of(given);
  if (!fits(given)) return reference(given, first.scalar_type());
  return fast_sum(given, first.scalar_type(),
                  is_channels_last(first) ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous);
}

Tensor network_input(double factor, const Tensor& z, at::ScalarType dtype) {
  const std::array terms{Term{factor, z}};
  return fits(terms) ? fast_sum(terms, dtype, at::MemoryFormat::ChannelsLast) : reference(terms, dtype);
}

}  // namespace edmund::ops
