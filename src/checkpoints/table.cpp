#include "edmund/checkpoints/foreign.h"
#include "edmund/core/error.h"
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
}  // namespace

std::span<const ForeignEntry> foreign_table() { return kForeign; }

ForeignModel read_foreign(const std::filesystem::path& path, std::string_view kind) {
  require(std::filesystem::is_regular_file(path), "{}: no such file", path.string());
  std::vector<std::string_view> known;
  for (const auto& entry : kForeign) known.push_back(entry.name);
  const auto* named = std::ranges::find(kForeign, kind, &ForeignEntry::name);
  require(kind.empty() || named != std::end(kForeign), "--from: no kind {}{}", in_quotes(kind),
          suggestion(kind, known));
  require(PickleFile::is_one(path), "{}: neither a pickle nor a file of torch.save; converted are: {}", path.string(),
          join(known, ", "));
  const ForeignFile file{.path = path, .pickle = std::make_shared<PickleFile>(path)};
  const auto* found =
      kind.empty() ? std::ranges::find_if(kForeign, [&](const auto& entry) { return entry.is_one(file); }) : named;
  require(found != std::end(kForeign) && found->is_one(file), "{}: no model of a kind that is converted: {}",
          path.string(), join(known, ", "));
  ForeignModel out = found->read(file);
  out.kind = found->name;
  return out;
}

}  // namespace edmund
