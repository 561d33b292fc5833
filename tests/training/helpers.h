#pragma once

#include "edmund/training/checkpoint.h"
#include "support/errors.h"
#include "support/temporary_folder.h"

#include <cstddef>

namespace edmund::testing {

/// Whether two state dicts hold the same names and the same bits.
inline bool same(const NamedTensors& a, const NamedTensors& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (a[i].first != b[i].first || !a[i].second.equal(b[i].second)) return false;
  return true;
}

inline bool same_state(const Checkpoint& a, const Checkpoint& b) {
  return a.images == b.images && a.steps == b.steps && a.counters == b.counters && same(a.network, b.network) &&
         same(a.ema, b.ema) && same(a.optimizer, b.optimizer);
}

}  // namespace edmund::testing
