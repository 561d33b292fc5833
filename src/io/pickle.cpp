#include "edmund/io/pickle.h"

#include "edmund/archives/zip_archive.h"
#include "edmund/core/files.h"
#include "edmund/core/shape_size.h"
#include "edmund/core/text.h"
#include "pickle_machine.h"

#include <algorithm>
#include <ATen/ops/as_strided.h>
#include <ATen/ops/empty.h>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <utility>

namespace edmund {
namespace {

using Kind = PickleValue::Kind;

constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 36;
constexpr std::uint64_t kMostStructure = 64 << 20;  // of the pickle inside an archive

// torch.save's magic number, as a LONG1.
constexpr std::string_view kMagic = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";

struct StorageType {
  std::string_view name;
  at::ScalarType dtype;
};
constexpr StorageType kStorages[] = {
    {"torch.FloatStorage", at::kFloat},       {"torch.DoubleStorage", at::kDouble}, {"torch.HalfStorage", at::kHalf},
    {"torch.BFloat16Storage", at::kBFloat16}, {"torch.LongStorage", at::kLong},     {"torch.IntStorage", at::kInt},
    {"torch.ShortStorage", at::kShort},       {"torch.CharStorage", at::kChar},     {"torch.ByteStorage", at::kByte},
    {"torch.BoolStorage", at::kBool},
};

/// Of ("storage", type, key, device, count, …).
struct StorageId {
  std::string key;
  std::shared_ptr<PickleStorage> storage;
};

StorageId storage_of(const PickleHeap& heap, const PickleValue& id) {
  const auto& items = id.items;
  const bool is_storage = id.kind == Kind::kList && items.size() >= 5 && items[0]->text == "storage" &&
                          items[1]->kind == Kind::kName && items[2]->kind == Kind::kText &&
                          items[4]->kind == Kind::kInteger;
  require(is_storage, "{}: the pickle is damaged: a reference that is no tensor's memory", heap.file);
  const auto* type = std::ranges::find(kStorages, items[1]->text, &StorageType::name);
  require(type != std::end(kStorages), "{}: tensors of {} are not read", heap.file, in_quotes(items[1]->text));
  const std::int64_t count = items[4]->integer;
  require(count >= 0 && static_cast<std::uint64_t>(count) < kMostBytes, "{}: a tensor of {} elements", heap.file,
          count);
  auto storage = std::make_shared<PickleStorage>();
  storage->dtype = type->dtype;
  storage->count = count;
  return {std::string(items[2]->text), std::move(storage)};
}

PickleValue* value_of(PickleHeap& heap, std::shared_ptr<PickleStorage> storage) {
  PickleValue* out = heap.make(Kind::kStorage);
  out->storage = std::move(storage);
  return out;
}

std::int64_t bytes_of(const PickleStorage& storage) {
  return storage.count * static_cast<std::int64_t>(c10::elementSize(storage.dtype));
}

// `left`: bytes of the file that no storage was read from yet; parts that are claimed twice would
// let a small file take any memory.
const Tensor& elements_of(PickleStorage& storage, std::uint64_t& left, const std::string& file) {
  if (storage.elements.defined()) return storage.elements;
  const auto wanted = static_cast<std::uint64_t>(bytes_of(storage));
  require(wanted <= left, "{}: its tensors claim more bytes than it has", file);
  left -= wanted;
  const std::string bytes = storage.bytes();
  require(static_cast<std::int64_t>(bytes.size()) == bytes_of(storage), "{}: {} bytes where a tensor's memory has {}",
          file, bytes.size(), bytes_of(storage));
  storage.elements = at::empty({storage.count}, storage.dtype);
  if (!bytes.empty()) std::memcpy(storage.elements.mutable_data_ptr(), bytes.data(), bytes.size());
  return storage.elements;
}

}  // namespace

const PickleValue* PickleValue::find(std::string_view key) const {
  for (std::size_t i = 0; kind == Kind::kMapping || kind == Kind::kObject ? i + 1 < items.size() : false; i += 2)
    if (items[i]->kind == Kind::kText && items[i]->text == key) return items[i + 1];
  return kind == Kind::kObject && state && state->kind == Kind::kMapping ? state->find(key) : nullptr;
}

const PickleValue* read_plain_torch(PickleHeap& heap, std::string_view bytes) {
  require(++heap.depth <= 4, "{}: files inside of files without an end", heap.file);
  std::map<std::string, std::shared_ptr<PickleStorage>> storages;
  const auto persistent = [&](const PickleValue& id) {
    auto [key, storage] = storage_of(heap, id);
    return value_of(heap, storages.emplace(std::move(key), std::move(storage)).first->second);
  };
  std::size_t at = 0;
  const auto next = [&] {
    PickleMachine machine(heap, bytes.substr(at), persistent);
    const PickleValue* out = machine.read();
    at += machine.position();
    return out;
  };
  const PickleValue* magic = next();
  require(magic->text == kMagic, "{}: the pickle is damaged: not what torch.save writes", heap.file);
  next(), next();  // version; sizes of types
  const PickleValue *root = next(), *keys = next();
  for (const PickleValue* key : keys->items) {
    const auto found = storages.find(std::string(key->text));
    require(found != storages.end() && bytes.size() - at >= 8, "{}: the pickle is damaged: tensors are missing",
            heap.file);
    std::uint64_t count = 0;
    std::memcpy(&count, bytes.data() + at, 8);
    at += 8;
    PickleStorage& storage = *found->second;
    require(count == static_cast<std::uint64_t>(storage.count) &&
                static_cast<std::uint64_t>(bytes_of(storage)) <= bytes.size() - at,
            "{}: the pickle is damaged: a tensor is cut short", heap.file);
    storage.bytes = [part = bytes.substr(at, static_cast<std::size_t>(bytes_of(storage)))] {
      return std::string(part);
    };
    at += static_cast<std::size_t>(bytes_of(storage));
  }
  for (const auto& [key, storage] : storages)
    require(static_cast<bool>(storage->bytes), "{}: the pickle is damaged: tensors are missing", heap.file);
  --heap.depth;
  return root;
}

struct PickleFile::Content {
  PickleHeap heap;
  std::uint64_t left = 0;  // bytes of the file for tensors
  std::string bytes;
  std::unique_ptr<ZipArchive> archive;

  const PickleValue* read_archive(const std::filesystem::path& path) {
    archive = std::make_unique<ZipArchive>(path);
    std::map<std::string, ZipArchive::Entry> entries;
    std::string folder;
    for (const auto& entry : archive->entries()) {
      entries.emplace(entry.name, entry);
      if (entry.name.ends_with("/data.pkl")) folder = entry.name.substr(0, entry.name.size() - 8);
    }
    require(!folder.empty(), "{}: a zip archive that torch.save did not write: it has no data.pkl", heap.file);
    const ZipArchive::Entry& structure = entries.at(folder + "data.pkl");
    require(structure.size <= kMostStructure, "{}: a data.pkl of {} bytes; no model has so many", heap.file,
            structure.size);
    bytes = archive->read(structure, structure.size);
    std::map<std::string, std::shared_ptr<PickleStorage>> storages;
    const auto persistent = [&](const PickleValue& id) {
      auto [key, storage] = storage_of(heap, id);
      const auto [at, fresh] = storages.emplace(key, storage);
      if (fresh) {
        const auto entry = entries.find(folder + "data/" + key);
        require(entry != entries.end(), "{}: the tensor memory {} is missing", heap.file, in_quotes(key));
        require(entry->second.stored && entry->second.size == static_cast<std::uint64_t>(bytes_of(*storage)),
                "{}: the tensor memory {} has {} bytes, should have {}, stored without compression", heap.file,
                in_quotes(key), entry->second.size, bytes_of(*storage));
        storage->bytes = [this, found = entry->second] { return archive->read(found, found.size); };
      }
      return value_of(heap, at->second);
    };
    return PickleMachine(heap, bytes, persistent).read();
  }
};

PickleFile::PickleFile(const std::filesystem::path& path) : content_(std::make_unique<Content>()) {
  content_->heap.file = path.string();
  content_->left = std::filesystem::file_size(path);
  std::string begin(2, '\0');
  std::ifstream(path, std::ios::binary).read(begin.data(), 2);
  if (begin == "PK") {
    root_ = content_->read_archive(path);
    return;
  }
  content_->bytes = read_file(path, kMostBytes);
  const bool is_torch = content_->bytes.size() > 14 && std::string_view(content_->bytes).substr(4, 10) == kMagic;
  root_ = is_torch ? read_plain_torch(content_->heap, content_->bytes)
                   : PickleMachine(content_->heap, content_->bytes).read();
}

PickleFile::~PickleFile() = default;

bool PickleFile::is_one(const std::filesystem::path& path) {
  std::string begin(2, '\0');
  std::ifstream(path, std::ios::binary).read(begin.data(), 2);
  return begin == "PK" || (begin[0] == '\x80' && begin[1] >= 2 && begin[1] <= 5);
}

Tensor PickleFile::tensor(const PickleValue& value, std::string_view name) const {
  const std::string& file = content_->heap.file;
  require(value.kind == Kind::kTensor, "{}: {} is no tensor", file, in_quotes(name));
  const std::size_t dimensions = value.items.size() / 2;
  std::vector<std::int64_t> sizes, strides;
  const std::int64_t available = value.storage->count;
  std::int64_t last = value.integer;
  bool fits = last >= 0 && last <= available;
  for (std::size_t i = 0; i < dimensions && fits; ++i) {
    const std::int64_t size = value.items[i]->integer, stride = value.items[dimensions + i]->integer;
    fits = size >= 0 && stride >= 0 && size <= available && stride <= available;
    if (!fits) break;
    last += size > 0 ? (size - 1) * stride : 0;
    fits = last <= available;
    sizes.push_back(size);
    strides.push_back(stride);
  }
  const auto count = shape_size(sizes, 1);
  require(fits && count && *count <= static_cast<std::uint64_t>(available) && (*count == 0 || last < available),
          "{}: tensor {} reaches out of its memory of {} elements", file, in_quotes(name), available);
  return at::as_strided(elements_of(*value.storage, content_->left, file), sizes, strides, value.integer);
}

}  // namespace edmund
