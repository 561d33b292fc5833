#pragma once

#include "edmund/core/tensor.h"

#include <c10/core/TensorImpl.h>
#include <c10/util/intrusive_ptr.h>
#include <cstdint>
#include <map>
#include <mutex>
#include <utility>

namespace edmund::ops {

/// Weights packed as kernels read them, cached until the weight changes. Packing: which layout.
/// Fingerprint: what must be equal besides, such as some of the values.
template <typename Packing, typename Fingerprint>
class PackedWeightCache {
 public:
  /// The packed weight: the cached one, or pack() if there is none or the weight has changed since
  /// (its autograd version, its memory after set_data, `generation` or the fingerprint differ).
  /// Thread-safe.
  template <typename Pack>
  Tensor get(const Tensor& weight, Packing packing, std::uint64_t generation, const Fingerprint& fingerprint,
             const Pack& pack) {
    const std::pair key(static_cast<const c10::TensorImpl*>(weight.unsafeGetTensorImpl()), packing);
    const auto version = static_cast<std::uint32_t>(weight._version());
    {
      const std::scoped_lock lock(mutex_);
      const auto found = entries_.find(key);
      if (found != entries_.end()) {
        const Entry& entry = found->second;
        if (entry.data == weight.const_data_ptr() && entry.version == version && entry.generation == generation &&
            entry.fingerprint == fingerprint && !entry.weight.expired())
          return entry.packed;
      }
    }
    Entry entry{Weak(weight.getIntrusivePtr()), weight.const_data_ptr(), version, generation, fingerprint, pack()};
    Tensor packed = entry.packed;
    const std::scoped_lock lock(mutex_);
    std::erase_if(entries_, [](const auto& item) { return item.second.weight.expired(); });
    entries_.insert_or_assign(key, std::move(entry));
    return packed;
  }

 private:
  using Weak = c10::weak_intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>;
  struct Entry {
    Weak weight;
    const void* data;
    std::uint32_t version;
    std::uint64_t generation;
    Fingerprint fingerprint;
    Tensor packed;
  };
  std::mutex mutex_;
  std::map<std::pair<const c10::TensorImpl*, Packing>, Entry> entries_;
};

}  // namespace edmund::ops
