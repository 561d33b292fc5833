#include "edmund/checkpoints/foreign.h"
#include "edmund/core/error.h"
#include "edmund/core/text.h"

#include <algorithm>
#include <fstream>
#include <vector>

namespace edmund {

bool is_edm(const ForeignFile& file);
ForeignModel read_edm(const ForeignFile& file);
bool is_guided_diffusion(const ForeignFile& file);
bool is_improved_diffusion(const ForeignFile& file);
bool is_consistency_models(const ForeignFile& file);
ForeignModel read_guided_diffusion(const ForeignFile& file);
ForeignModel read_improved_diffusion(const ForeignFile& file);
ForeignModel read_consistency_models(const ForeignFile& file);

namespace {
constexpr ForeignEntry kForeign[] = {
    {"edm", "network snapshots of NVlabs/edm (.pkl): SongUNet or DhariwalUNet in any of its four wrappers",
     "Karras et al. 2022", is_edm, read_edm},
    {"guided_diffusion", "weights of OpenAI's guided-diffusion (.pt): ADM", "Dhariwal & Nichol 2021",
     is_guided_diffusion, read_guided_diffusion},
    {"improved_diffusion", "weights of OpenAI's improved-diffusion (.pt)", "Nichol & Dhariwal 2021",
     is_improved_diffusion, read_improved_diffusion},
    {"consistency_models", "weights of OpenAI's consistency_models (.pt, .safetensors)", "Song et al. 2023",
     is_consistency_models, read_consistency_models},
};

bool is_safetensors(const std::filesystem::path& path) {
  std::string begin(9, '\0');
  std::ifstream(path, std::ios::binary).read(begin.data(), 9);
  return begin[8] == '{';
}

// The one row that knows the file; files of several projects may look alike.
const ForeignEntry& kind_of(const ForeignFile& file, const std::vector<std::string_view>& known) {
  std::vector<std::string_view> fitting;
  for (const auto& entry : kForeign)
    if (entry.is_one(file)) fitting.push_back(entry.name);
  require(!fitting.empty(), "{}: no model of a kind that is converted: {}", file.path.string(), join(known, ", "));
  require(fitting.size() == 1, "{}: such weights are written by {}; say by which, with --from", file.path.string(),
          join(fitting, ", "));
  return *std::ranges::find(kForeign, fitting.front(), &ForeignEntry::name);
}

}  // namespace

std::span<const ForeignEntry> foreign_table() { return kForeign; }

ForeignModel read_foreign(const std::filesystem::path& path, std::string_view kind, const ForeignSettings& settings) {
  require(std::filesystem::is_regular_file(path), "{}: no such file", path.string());
  std::vector<std::string_view> known;
  for (const auto& entry : kForeign) known.push_back(entry.name);
  const auto* named = std::ranges::find(kForeign, kind, &ForeignEntry::name);
  require(kind.empty() || named != std::end(kForeign), "--from: no kind {}{}", in_quotes(kind),
          suggestion(kind, known));
  ForeignFile file{.path = path, .settings = std::make_shared<ForeignSettings>(settings)};
  if (PickleFile::is_one(path)) {
    file.pickle = std::make_shared<PickleFile>(path);
  } else {
    require(is_safetensors(path), "{}: neither a pickle nor a file of torch.save or safetensors; converted are: {}",
            path.string(), join(known, ", "));
    file.tensors = std::make_shared<TensorFile>(read_tensors(path));
  }
  const ForeignEntry& found = kind.empty() ? kind_of(file, known) : *named;
  require(found.is_one(file), "{}: no model of the kind {}", path.string(), kind);
  ForeignModel out = found.read(file);
  file.settings->finish(found.name);
  out.kind = found.name;
  return out;
}

}  // namespace edmund
