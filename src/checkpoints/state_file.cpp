#include "state_file.h"

#include "edmund/core/error.h"
#include "edmund/core/text.h"
#include "module_tree.h"

namespace edmund {
namespace {

using Kind = PickleValue::Kind;

}  // namespace

const PickleValue* mapping_at(const ForeignFile& file, std::initializer_list<std::string_view> keys) {
  const PickleValue* at = file.pickle ? &file.pickle->root() : nullptr;
  for (const auto key : keys) at = at ? at->find(key) : nullptr;
  return at && (at->kind == Kind::kMapping || at->kind == Kind::kObject) ? at : nullptr;
}

bool has_tensor(const ForeignFile& file, std::string_view name) {
  if (file.tensors) return file.tensors->tensors.contains(std::string(name));
  const PickleValue* root = mapping_at(file);
  const PickleValue* found = root ? root->find(name) : nullptr;
  return found && found->kind == Kind::kTensor;
}

StateFile::StateFile(const ForeignFile& file) : file_(file.path.string()) {
  const auto add = [this](std::string name, const Tensor& tensor) {
    const bool fresh = tensors_.emplace(name, tensor.is_floating_point() ? tensor.to(at::kFloat) : tensor).second;
    require(fresh, "{}: tensor {} twice", file_, in_quotes(name));
    require(tensor.numel() > 0, "{}: tensor {} is empty", file_, in_quotes(name));
  };
  if (file.tensors) {
    for (const auto& [name, tensor] : file.tensors->tensors) add(name, tensor);
    return;
  }
  const PickleValue* root = mapping_at(file);
  require(root != nullptr, "{}: no weights by name", file_);
  for (const auto& [name, tensor] : state_tensors(*file.pickle, *root, file_)) add(name, tensor);
}

std::vector<std::string> StateFile::names(std::string_view prefix) const {
  std::vector<std::string> out;
  for (auto at = tensors_.lower_bound(prefix); at != tensors_.end() && at->first.starts_with(prefix); ++at)
    out.push_back(at->first);
  return out;
}

const Tensor& StateFile::at(const std::string& name) const {
  const auto found = tensors_.find(name);
  require(found != tensors_.end(), "{}: tensor {} is missing", file_, in_quotes(name));
  return found->second;
}

std::int64_t StateFile::size(const std::string& name, std::size_t dimension) const {
  const Tensor& tensor = at(name);
  require(static_cast<std::size_t>(tensor.dim()) > dimension, "{}: tensor {} has {} dimensions", file_, in_quotes(name),
          tensor.dim());
  return tensor.size(static_cast<std::int64_t>(dimension));
}

Tensor StateFile::take(const std::string& name, std::int64_t dimensions) {
  Tensor out = at(name);
  require(dimensions == 0 || out.dim() == dimensions, "{}: tensor {} has {} dimensions, expected {}", file_,
          in_quotes(name), out.dim(), dimensions);
  tensors_.erase(tensors_.find(name));
  return out;
}

void StateFile::finish(std::string_view what) const {
  if (!tensors_.empty()) fail("{}: {} has no tensor {}", file_, what, in_quotes(tensors_.begin()->first));
}

}  // namespace edmund
