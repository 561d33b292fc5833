#pragma once

#include "edmund/core/tensor.h"

#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace edmund {

/// The memory that tensors of a pickle share: `count` elements, read when one is first wanted.
struct PickleStorage {
  at::ScalarType dtype = at::kFloat;
  std::int64_t count = 0;
  std::function<std::string()> bytes;
  Tensor elements;  // what was read
};

/// A value of a pickle, as plain data.
struct PickleValue {
  enum class Kind { kNone, kBool, kInteger, kReal, kText, kBytes, kList, kMapping, kName, kStorage, kTensor, kObject };

  Kind kind = Kind::kNone;
  std::int64_t integer = 0;  // of kBool, too; offset of a tensor
  double real = 0;
  // kText, kBytes; "module.name" of kName; class of kObject
  std::string_view text;
  // elements of a list, tuple or set; keys and values of a mapping in turn; sizes and strides of a
  // tensor
  std::vector<const PickleValue*> items;
  const PickleValue* state = nullptr;  // of kObject: its attributes
  std::shared_ptr<PickleStorage> storage;

  /// The value at a key of a mapping or an attribute of an object; null if there is none.
  const PickleValue* find(std::string_view key) const;
};

/// A file of Python's pickle or torch.save (either of its layouts, with a zip archive or without),
/// read without calling anything: containers, numbers, text, tensors, and the attributes of the few
/// classes that models are kept in. Throws Error for whatever else the file names, for damaged
/// files and for those out of proportion.
class PickleFile {
 public:
  explicit PickleFile(const std::filesystem::path& path);
  ~PickleFile();
  PickleFile(const PickleFile&) = delete;
  PickleFile& operator=(const PickleFile&) = delete;

  const PickleValue& root() const { return *root_; }
  /// Whether the file looks like one, by its first bytes.
  static bool is_one(const std::filesystem::path& path);
  /// A tensor of the file, `name` for messages. Throws Error if it reaches out of its storage.
  Tensor tensor(const PickleValue& value, std::string_view name) const;

 private:
  struct Content;
  std::unique_ptr<Content> content_;
  const PickleValue* root_ = nullptr;
};

}  // namespace edmund
