#pragma once

#include <c10/core/Allocator.h>
#include <cstddef>
#include <map>
#include <mutex>
#include <vector>

namespace edmund::ops {

/// Allocator of CPU tensors that keeps freed blocks and hands them to the next tensors of exactly
/// their size. A step of training or sampling asks for the same sizes again and again, so that
/// nothing is allocated after the first step, and each thread writes again where it has written
/// before: on a processor whose cores do not all share one cache, lines that another core changed
/// last take longer to arrive than those from memory.
///
/// Blocks in use and idle ones together never exceed the peak of those in use by more than a
/// sixteenth: idle blocks are freed before that, the size that was requested least recently first.
/// Thread-safe.
class CachingAllocator final : public c10::Allocator {
 public:
  CachingAllocator() = default;
  CachingAllocator(const CachingAllocator&) = delete;
  CachingAllocator& operator=(const CachingAllocator&) = delete;
  /// No tensor with memory from here may outlive it.
  ~CachingAllocator() override;

  /// Aligned to 64 bytes. Throws c10::Error if the system has no memory left.
  c10::DataPtr allocate(std::size_t bytes) override;
  c10::DeleterFnPtr raw_deleter() const override;
  void copy_data(void* to, const void* from, std::size_t bytes) const override;

  /// Bytes that tensors hold, and bytes of idle blocks.
  std::size_t used() const;
  std::size_t idle() const;

 private:
  struct Block;
  struct SizeClass {
    std::vector<Block*> idle = {};
    std::size_t last_request = 0;
  };

  static void release(void* memory);
  Block* new_block(std::size_t bytes);
  void free_idle_until(std::size_t bytes);
  void free_idle(SizeClass& blocks);

  mutable std::mutex mutex_;
  std::map<std::size_t, SizeClass> sizes_ = {};
  std::size_t used_ = 0, idle_ = 0, peak_ = 0, requests_ = 0, unasked_ = 0;
};

/// From now on LibTorch allocates CPU tensors from one CachingAllocator, which lives as long as the
/// process.
void install_caching_allocator();

}  // namespace edmund::ops
