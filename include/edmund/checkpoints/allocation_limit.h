#pragma once

#include <c10/core/Allocator.h>
#include <cstddef>
#include <string>

namespace edmund {

/// While it lives, new CPU tensors of the whole process take so many bytes together and no more;
/// beyond that, Error with `message`. For networks whose sizes come from a file that may lie: the
/// memory that they ask for is known before the system is asked.
class AllocationLimit : public c10::Allocator {
 public:
  AllocationLimit(std::size_t bytes, std::string message);
  ~AllocationLimit() override;
  AllocationLimit(const AllocationLimit&) = delete;
  AllocationLimit& operator=(const AllocationLimit&) = delete;

  c10::DataPtr allocate(std::size_t bytes) override;
  c10::DeleterFnPtr raw_deleter() const override { return inner_->raw_deleter(); }
  void copy_data(void* to, const void* from, std::size_t bytes) const override { inner_->copy_data(to, from, bytes); }

 private:
  c10::Allocator* inner_;
  std::size_t left_;
  std::string message_;
};

}  // namespace edmund
