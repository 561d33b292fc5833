#include "edmund/core/out_of_memory.h"

#include <algorithm>
#include <array>
#include <new>
#include <string_view>

namespace edmund {

bool is_out_of_memory(const std::exception& error) {
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) return true;
  // c10::Error of this project's allocator and of a GPU's; of LibTorch's own; of cuDNN and cuBLAS
  constexpr std::array<std::string_view, 4> kWords = {"out of memory", "can't allocate memory", "ALLOC_FAILED",
                                                      "not enough memory"};
  const std::string_view text = error.what();
  return std::ranges::any_of(kWords, [&](std::string_view word) { return text.find(word) != text.npos; });
}

}  // namespace edmund
