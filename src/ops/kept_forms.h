#pragma once

#include "edmund/core/tensor.h"

#include <c10/core/TensorImpl.h>
#include <c10/util/intrusive_ptr.h>
#include <cstdint>
#include <map>
#include <mutex>
#include <utility>

namespace edmund::ops {

/// Forms of weights that kernels want, kept until the weight changes. Tag: which form; Proof: what must be equal besides, e.g. some of the values.
template <typename Tag, typename Proof>
class KeptForms {
 public:
  /// The form of this weight, or what make() gives if there is none or the weight has changed: by an operation that counts its version, by set_data, or by
  /// whoever counts `generation`. Any thread.
  template <typename Make>
  Tensor get(const Tensor& weight, Tag tag, std::uint64_t generation, const Proof& proof, const Make& make) {
    const std::pair key(static_cast<const c10::TensorImpl*>(weight.unsafeGetTensorImpl()), tag);
    const auto version = static_cast<std::uint32_t>(weight._version());
    {
      const std::scoped_lock lock(mutex_);
      const auto found = kept_.find(key);
      if (found != kept_.end()) {
        const Kept& entry = found->second;
        if (entry.data == weight.const_data_ptr() && entry.version == version && entry.generation == generation &&
            entry.proof == proof && !entry.weight.expired())
          return entry.form;
      }
    }
    Kept entry{Weak(weight.getIntrusivePtr()), weight.const_data_ptr(), version, generation, proof, make()};
    const Tensor form = entry.form;
    const std::scoped_lock lock(mutex_);
    std::erase_if(kept_, [](const auto& item) { return item.second.weight.expired(); });
    kept_.insert_or_assign(key, std::move(entry));
    return form;
  }

 private:
  using Weak = c10::weak_intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>;
  struct Kept {
    Weak weight;
    const void* data;
    std::uint32_t version;
    std::uint64_t generation;
    Proof proof;
    Tensor form;
  };
  std::mutex mutex_;
  std::map<std::pair<const c10::TensorImpl*, Tag>, Kept> kept_;
};

}  // namespace edmund::ops
