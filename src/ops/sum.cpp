#include "edmund/ops/sum.h"

#include "cpu/kernels.h"
#include "fast.h"
#include "parallel.h"

#include <algorithm>
#include <array>
#include <ATen/ops/empty.h>
#include <ATen/TensorOperators.h>
#include <cstddef>
#include <span>
#include <vector>

namespace edmund::ops {
namespace {

const Tensor* tensor_of(const Term& term) { return std::get_if<Tensor>(&term.x); }
const Tensor& first_of(std::span<const Term> terms) { return std::get<Tensor>(terms[0].x); }

bool alike(const Term& a, const Term& b) {
  const Tensor *x = tensor_of(a), *y = tensor_of(b);
  if (x != nullptr || y != nullptr) return x != nullptr && y != nullptr && x->is_same(*y);
  const Draw &m = std::get<Draw>(a.x), &n = std::get<Draw>(b.x);
  return m.seed == n.seed && m.stream == n.stream && m.draw == n.draw && m.dtype == n.dtype &&
         m.samples.is_same(n.samples);
}

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
  parallel_for(0, runs, std::max<std::int64_t>(1, (1 << 16) / run), [&](std::int64_t begin, std::int64_t end) {
    std::vector<cpu::Scaled> parts(images.size());
    for (std::int64_t i = begin * run; i < std::min(end * run, out.numel()); i += run) {
      for (std::size_t k = 0; k < images.size(); ++k) parts[k] = {terms[k].factor, place(images[k], i)};
      cpu::kernel_table().combine(parts.data(), std::ssize(parts), std::min(run, out.numel() - i), place(out, i));
    }
  });
  return out.to(dtype);
}

// The kernel takes so many images and one draw: of more, the rest is added to the sum of the first.
Tensor on_gpu(std::span<const Term> terms, at::ScalarType dtype, at::MemoryFormat order) {
  std::vector<Term> part;
  std::size_t images = 0, draws = 0;
  for (std::size_t i = 0; i < terms.size(); ++i) {
    if (images == cuda::kMostImages || (draws == 1 && tensor_of(terms[i]) == nullptr)) {
      const Tensor sum = cuda_operators().combine(part, at::kDouble, order);
      part = {{1.0, sum}};
      images = 1, draws = 0;
    }
    const Tensor* x = tensor_of(terms[i]);
    part.push_back(x == nullptr ? terms[i] : Term{terms[i].factor, dense(*x)});
    ++(x == nullptr ? draws : images);
  }
  return cuda_operators().combine(part, dtype, order);
}

Tensor fast_sum(std::span<const Term> terms, at::ScalarType dtype, at::MemoryFormat order) {
  return first_of(terms).is_cuda() ? on_gpu(terms, dtype, order) : on_cpu(terms, dtype, order);
}

}  // namespace

Sum::operator Tensor() const {
  TORCH_CHECK(!terms_.empty() && tensor_of(terms_[0]) != nullptr, "sum: the first term must be a tensor");
  const Tensor& first = first_of(terms_);
  if (terms_.size() == 1 && terms_[0].factor == 1.0) return first;
  if (!fits(terms_)) return reference(terms_, first.scalar_type());
  return fast_sum(terms_, first.scalar_type(),
                  is_channels_last(first) ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous);
}

Sum& Sum::operator+=(const Sum& other) {
  for (const Term& term : other.terms_) {
    const auto own = std::find_if(terms_.begin(), terms_.end(), [&](const Term& t) { return alike(t, term); });
    if (own == terms_.end())
      terms_.push_back(term);
    else
      own->factor += term.factor;
  }
  return *this;
}

Sum operator*(double factor, Sum sum) {
  for (Term& term : sum.terms_) term.factor *= factor;
  return sum;
}

Sum operator/(Sum sum, double divisor) {
  for (Term& term : sum.terms_) term.factor /= divisor;
  return sum;
}

Tensor network_input(double factor, const Tensor& z, at::ScalarType dtype) {
  const std::array terms{Term{factor, z}};
  return fits(terms) ? fast_sum(terms, dtype, at::MemoryFormat::ChannelsLast) : reference(terms, dtype);
}

}  // namespace edmund::ops
