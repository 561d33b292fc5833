#pragma once

#include <c10/core/Allocator.h>
#include <cstddef>
#include <map>
#include <mutex>
#include <vector>

namespace edmund::ops {

/// Memory of CPU tensors that is kept when they die and given to the next ones of just their size. A step of training or sampling asks for the
/// same sizes again and again, so that nothing is allocated after the first; and each thread writes again where it has written before: on a
/// processor whose cores do not all share one cache, lines that another core has changed last take longer to come than those from memory.
///
/// All memory together never exceeds the most that was in use at one time by more than a sixteenth: what would, makes idle memory go back first, that
/// of the size that was not asked for the longest. Thread-safe.
class KeptMemory final : public c10::Allocator {
 public:
  KeptMemory() = default;
  KeptMemory(const KeptMemory&) = delete;
  KeptMemory& operator=(const KeptMemory&) = delete;
  /// No tensor may outlive it that has its memory from here.
  ~KeptMemory() override;

  /// Aligned to 64 bytes. Throws c10::Error if the system has no more.
  c10::DataPtr allocate(std::size_t bytes) override;
  c10::DeleterFnPtr raw_deleter() const override;
  void copy_data(void* to, const void* from, std::size_t bytes) const override;

  /// Bytes that tensors have, and that wait for some.
  std::size_t used() const;
  std::size_t idle() const;

 private:
  struct Block;
  struct Size {
    std::vector<Block*> idle = {};
    std::size_t last_asked = 0;
  };

  static void release(void* memory);
  Block* new_block(std::size_t bytes);
  void give_back_until(std::size_t bytes);
  void give_back(Size& size);

  mutable std::mutex mutex_;
  std::map<std::size_t, Size> sizes_ = {};
  std::size_t used_ = 0, idle_ = 0, most_used_ = 0, asked_ = 0;
};

/// From now on LibTorch takes the memory of CPU tensors from one KeptMemory, which lives as long as the process.
void keep_memory();

}  // namespace edmund::ops
