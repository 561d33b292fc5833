#include "edmund/checkpoints/allocation_limit.h"

#include "edmund/core/error.h"

#include <c10/core/CPUAllocator.h>
#include <limits>
#include <utility>

namespace edmund {
namespace {

constexpr auto kAbove = std::numeric_limits<std::uint8_t>::max();  // any allocator that is set

}  // namespace

AllocationLimit::AllocationLimit(std::size_t bytes, std::string message)
    : inner_(c10::GetCPUAllocator()), left_(bytes), message_(std::move(message)) {
  c10::SetCPUAllocator(this, kAbove);
}

AllocationLimit::~AllocationLimit() { c10::SetCPUAllocator(inner_, kAbove); }

c10::DataPtr AllocationLimit::allocate(std::size_t bytes) {
  require(bytes <= left_, "{}", message_);
  left_ -= bytes;
  return inner_->allocate(bytes);
}

}  // namespace edmund
