#include "edmund/checkpoints/foreign.h"
#include "edmund/core/error.h"
#include "edmund/core/options.h"
#include "edmund/core/text.h"

#include <algorithm>
#include <vector>

namespace edmund {

bool is_edm(const ForeignFile& file);
ForeignModel read_edm(const ForeignFile& file);

namespace {
constexpr ForeignEntry kForeign[] = {
    {"edm", "network snapshots of NVlabs/edm (.pkl): SongUNet in any of its four wrappers", "Karras et al. 2022",
     is_edm, read_edm},
};

std::vector<std::string_view> known() {
  std::vector<std::string_view> out;
  for (const auto& entry : kForeign) out.push_back(entry.name);
  return out;
}

std::string kinds() { return join(known(), ", "); }

const ForeignEntry& named(std::string_view kind) {
  const auto* found = std::ranges::find(kForeign, kind, &ForeignEntry::name);
  require(found != std::end(kForeign), "--from: no kind {}{}", in_quotes(kind), suggestion(kind, known()));
  return *found;
}

// The only kind that the file can be of.
const ForeignEntry& found_out(const ForeignFile& file) {
  std::vector<std::string_view> possible;
  const ForeignEntry* found = nullptr;
  for (const auto& entry : kForeign) {
    if (!entry.is_one(file)) continue;
    found = &entry;
    possible.push_back(entry.name);
  }
  require(found != nullptr, "{}: no model of a kind that is converted: {}", file.path.string(), kinds());
  require(possible.size() == 1, "{}: may be of several kinds, which its content does not tell apart; choose --from {}",
          file.path.string(), join(possible, " or --from "));
  return *found;
}

bool is_safetensors(const std::filesystem::path& path) { return path.extension() == ".safetensors"; }

}  // namespace

std::span<const ForeignEntry> foreign_table() { return kForeign; }

bool may_be_foreign(const std::filesystem::path& path) {
  return std::filesystem::is_regular_file(path) && (is_safetensors(path) || PickleFile::is_one(path));
}

ForeignModel examine_foreign(const std::filesystem::path& path, std::string_view kind,
                             std::span<const std::string> said) {
  require(std::filesystem::is_regular_file(path), "{}: no such file", path.string());
  const ForeignEntry* entry = kind.empty() ? nullptr : &named(kind);
  require(may_be_foreign(path), "{}: neither a pickle, a file of torch.save nor safetensors; converted are: {}",
          path.string(), kinds());
  ForeignFile file{.path = path, .said = Options::read_text("{}", "settings", said).flattened()};
  if (is_safetensors(path))
    file.tensors = std::make_shared<TensorFile>(read_tensors(path));
  else
    file.pickle = std::make_shared<PickleFile>(path);
  require(!entry || entry->is_one(file), "{}: no model of kind {}", path.string(), kind);
  if (!entry) entry = &found_out(file);
  ForeignModel out = entry->read(file);
  out.kind = entry->name;
  std::erase_if(out.unsaid, [&](const Unsaid& missing) { return file.said.contains(missing.key); });
  return out;
}

ForeignModel read_foreign(const std::filesystem::path& path, std::string_view kind, std::span<const std::string> said) {
  ForeignModel out = examine_foreign(path, kind, said);
  std::string missing;
  for (const auto& [key, about] : out.unsaid)
    missing += format("{}{}=… ({})", missing.empty() ? "" : " and ", key, about);
  require(missing.empty(), "{}: the file does not tell all of its network; add {}", path.string(), missing);
  return out;
}

}  // namespace edmund
