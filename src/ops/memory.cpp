#include "edmund/ops/memory.h"

#include <algorithm>
#include <c10/core/CPUAllocator.h>
#include <c10/util/Exception.h>
#include <cstdlib>
#include <cstring>
#include <new>

namespace edmund::ops {
namespace {

constexpr std::size_t kMost = std::size_t{1} << 62;

}  // namespace

/// Lies before the memory that a tensor sees.
struct alignas(64) KeptMemory::Block {
  KeptMemory* owner = nullptr;
  std::size_t bytes = 0;

  void* memory() { return this + 1; }
  static Block* of(void* memory) { return static_cast<Block*>(memory) - 1; }
};

KeptMemory::~KeptMemory() {
  for (auto& [bytes, size] : sizes_) give_back(size);
}

c10::DataPtr KeptMemory::allocate(std::size_t bytes) {
  const c10::Device cpu(c10::kCPU);
  if (bytes == 0) return {nullptr, nullptr, &release, cpu};
  TORCH_CHECK(bytes < kMost, "out of memory: a tensor of ", bytes, " bytes");
  bytes = (bytes + 63) / 64 * 64;
  const std::scoped_lock lock(mutex_);
  Size& size = sizes_[bytes];
  size.last_asked = ++asked_;
  Block* block = nullptr;
  if (!size.idle.empty()) {
    block = size.idle.back();
    size.idle.pop_back();
    idle_ -= bytes;
  } else {
    block = new_block(bytes);
  }
  used_ += bytes;
  most_used_ = std::max(most_used_, used_);
  return {block->memory(), block->memory(), &release, cpu};
}

KeptMemory::Block* KeptMemory::new_block(std::size_t bytes) {
  const std::size_t most = std::max(most_used_, used_ + bytes), limit = most + most / 16;
  give_back_until(limit > bytes ? limit - bytes : 0);
  void* found = std::aligned_alloc(64, sizeof(Block) + bytes);
  if (found == nullptr) {
    give_back_until(0);
    found = std::aligned_alloc(64, sizeof(Block) + bytes);
  }
  TORCH_CHECK(found != nullptr, "out of memory: a tensor of ", bytes, " bytes");
  return new (found) Block{.owner = this, .bytes = bytes};
}

void KeptMemory::release(void* memory) {
  if (memory == nullptr) return;
  Block* block = Block::of(memory);
  KeptMemory& own = *block->owner;
  const std::scoped_lock lock(own.mutex_);
  own.used_ -= block->bytes;
  own.idle_ += block->bytes;
  own.sizes_[block->bytes].idle.push_back(block);
}

// Memory of the size that was not asked for the longest goes first, until no more than `bytes` are used and idle together or none is idle.
void KeptMemory::give_back_until(std::size_t bytes) {
  while (used_ + idle_ > bytes && idle_ > 0) {
    Size* oldest = nullptr;
    for (auto& [unused, size] : sizes_)
      if (!size.idle.empty() && (oldest == nullptr || size.last_asked < oldest->last_asked)) oldest = &size;
    give_back(*oldest);
  }
}

void KeptMemory::give_back(Size& size) {
  for (Block* block : size.idle) {
    idle_ -= block->bytes;
    std::free(block);
  }
  size.idle.clear();
}

c10::DeleterFnPtr KeptMemory::raw_deleter() const { return &release; }

void KeptMemory::copy_data(void* to, const void* from, std::size_t bytes) const { std::memcpy(to, from, bytes); }

std::size_t KeptMemory::used() const {
  const std::scoped_lock lock(mutex_);
  return used_;
}

std::size_t KeptMemory::idle() const {
  const std::scoped_lock lock(mutex_);
  return idle_;
}

void keep_memory() {
  static auto* const kept = new KeptMemory;  // tensors with static lifetime may die after anything of ours
  c10::SetCPUAllocator(kept, /*priority=*/1);
}

}  // namespace edmund::ops
