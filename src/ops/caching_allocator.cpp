#include "edmund/ops/caching_allocator.h"

#include "edmund/core/free_memory.h"

#include <algorithm>
#include <c10/core/CPUAllocator.h>
#include <c10/util/Exception.h>
#include <cstdlib>
#include <cstring>
#include <new>

namespace edmund::ops {
namespace {

constexpr std::size_t kMost = std::size_t{1} << 62;
// Bytes that are taken between two questions how much is left, and what is left to others.
constexpr std::size_t kAskedEvery = std::size_t{64} << 20, kReserve = std::size_t{128} << 20;

}  // namespace

/// Lies before the memory that a tensor sees.
struct alignas(64) CachingAllocator::Block {
  CachingAllocator* owner = nullptr;
  std::size_t bytes = 0;

  void* memory() { return this + 1; }
  static Block* of(void* memory) { return static_cast<Block*>(memory) - 1; }
};

CachingAllocator::~CachingAllocator() {
  for (auto& [bytes, blocks] : sizes_) free_idle(blocks);
}

c10::DataPtr CachingAllocator::allocate(std::size_t bytes) {
  const c10::Device cpu(c10::kCPU);
  if (bytes == 0) return {nullptr, nullptr, &release, cpu};
  TORCH_CHECK(bytes < kMost, "out of memory: a tensor of ", bytes, " bytes");
  bytes = (bytes + 63) / 64 * 64;
  const std::scoped_lock lock(mutex_);
  SizeClass& blocks = sizes_[bytes];
  blocks.last_request = ++requests_;
  Block* block = nullptr;
  if (!blocks.idle.empty()) {
    block = blocks.idle.back();
    blocks.idle.pop_back();
    idle_ -= bytes;
  } else {
    block = new_block(bytes);
  }
  used_ += bytes;
  peak_ = std::max(peak_, used_);
  return {block->memory(), block->memory(), &release, cpu};
}

CachingAllocator::Block* CachingAllocator::new_block(std::size_t bytes) {
  const std::size_t peak = std::max(peak_, used_ + bytes), limit = peak + peak / 16;
  free_idle_until(limit > bytes ? limit - bytes : 0);
  // Linux grants more than there is, and kills who uses it: what it has is asked for from time to
  // time, which takes microseconds.
  const auto is_there = [&] {
    if ((unasked_ += bytes) < kAskedEvery) return true;
    const auto free = free_memory();
    if (free && *free < bytes + kReserve) return false;
    unasked_ = 0;
    return true;
  };
  void* found = is_there() ? std::aligned_alloc(64, sizeof(Block) + bytes) : nullptr;
  if (found == nullptr) {
    free_idle_until(0);
    found = is_there() ? std::aligned_alloc(64, sizeof(Block) + bytes) : nullptr;
  }
  TORCH_CHECK(found != nullptr, "out of memory: a tensor of ", bytes, " bytes");
  return new (found) Block{.owner = this, .bytes = bytes};
}

void CachingAllocator::release(void* memory) {
  if (memory == nullptr) return;
  Block* block = Block::of(memory);
  CachingAllocator& own = *block->owner;
  const std::scoped_lock lock(own.mutex_);
  own.used_ -= block->bytes;
  own.idle_ += block->bytes;
  own.sizes_[block->bytes].idle.push_back(block);
}

// Frees the least recently requested sizes first, until used and idle bytes together are at most
// `bytes` or none is idle.
void CachingAllocator::free_idle_until(std::size_t bytes) {
  while (used_ + idle_ > bytes && idle_ > 0) {
    SizeClass* oldest = nullptr;
    for (auto& [unused, blocks] : sizes_)
      if (!blocks.idle.empty() && (oldest == nullptr || blocks.last_request < oldest->last_request)) oldest = &blocks;
    free_idle(*oldest);
  }
}

void CachingAllocator::free_idle(SizeClass& blocks) {
  for (Block* block : blocks.idle) {
    idle_ -= block->bytes;
    std::free(block);
  }
  blocks.idle.clear();
}

c10::DeleterFnPtr CachingAllocator::raw_deleter() const { return &release; }

void CachingAllocator::copy_data(void* to, const void* from, std::size_t bytes) const { std::memcpy(to, from, bytes); }

std::size_t CachingAllocator::used() const {
  const std::scoped_lock lock(mutex_);
  return used_;
}

std::size_t CachingAllocator::idle() const {
  const std::scoped_lock lock(mutex_);
  return idle_;
}

void install_caching_allocator() {
  // never freed: tensors with static lifetime may outlive ours
  static auto* const allocator = new CachingAllocator;
  c10::SetCPUAllocator(allocator, /*priority=*/1);
}

}  // namespace edmund::ops
