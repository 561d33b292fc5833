#pragma once

#include "edmund/checkpoints/foreign.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

// Files that hold weights by name and little else: safetensors, or torch.save of a state dict.
namespace edmund {

/// The mapping of a pickle that holds tensors by name: what lies at `keys`, its root without any;
/// null if there is none.
const PickleValue* mapping_at(const ForeignFile& file, std::initializer_list<std::string_view> keys = {});

/// Whether the file holds a tensor of that name at its root.
bool has_tensor(const ForeignFile& file, std::string_view name);

/// Weights by name that rules take one by one; what is left over in the end is unknown. All throw
/// Error, which begins with the file.
class StateFile {
 public:
  /// All tensors at the root, float32 where they are real.
  explicit StateFile(const ForeignFile& file);

  bool has(const std::string& name) const { return tensors_.contains(name); }
  std::vector<std::string> names(std::string_view prefix) const;
  /// Size of a dimension of a tensor that must be there.
  std::int64_t size(const std::string& name, std::size_t dimension) const;
  /// The tensor, of so many dimensions (0: any); it counts as used then.
  Tensor take(const std::string& name, std::int64_t dimensions = 0);
  /// Throws Error if a tensor was not taken.
  void finish(std::string_view what) const;

  const std::string& file() const { return file_; }

 private:
  const Tensor& at(const std::string& name) const;

  std::string file_;
  std::map<std::string, Tensor, std::less<>> tensors_;
};

}  // namespace edmund
