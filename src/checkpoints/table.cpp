#include "edmund/checkpoints/foreign.h"
#include "edmund/core/error.h"
#include "edmund/core/options.h"
#include "edmund/core/text.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <vector>

namespace edmund {

using IsOne = bool(const ForeignFile&);
using Read = ForeignModel(const ForeignFile&);
IsOne is_consistency_models, is_diffusers, is_dit, is_edm, is_edm2, is_guided_diffusion, is_improved_diffusion,
    is_kdiffusion, is_lucidrains, is_score_sde, is_sit;
Read read_consistency_models, read_diffusers, read_dit, read_edm, read_edm2, read_guided_diffusion,
    read_improved_diffusion, read_kdiffusion, read_lucidrains, read_score_sde, read_sit;

namespace {
constexpr ForeignEntry kForeign[] = {
    {"edm", "network snapshots of NVlabs/edm (.pkl): SongUNet or DhariwalUNet in any of its four wrappers",
     "Karras et al. 2022", is_edm, read_edm,
     "of its wrapper: VPPrecond 999 t, VEPrecond ln σ/2, iDDPMPrecond the index, EDMPrecond ln σ/4; large σ is noise"},
    {"edm2", "network snapshots of NVlabs/edm2 (.pkl)", "Karras et al. 2024", is_edm2, read_edm2,
     "ln σ/4; large σ is noise"},
    {"dit", "checkpoints of facebookresearch/DiT (.pt)", "Peebles & Xie 2023", is_dit, read_dit,
     "the index of the step, 0 to 999; 999 is noise; ε, and a variance that is not used"},
    {"sit", "checkpoints of willisma/SiT (.pt)", "Ma et al. 2024", is_sit, read_sit,
     "t from 0 to 1; t = 0 is noise; velocity x0 - ε"},
    {"score_sde", "NCSN++ and DDPM++ of yang-song/score_sde_pytorch (.pth)", "Song et al. 2021", is_score_sde,
     read_score_sde, "VP: 999 t, ε; VE: ln σ of images in [0, 1], score; t = 1 is noise"},
    {"kdiffusion", "image_v1 of crowsonkb/k-diffusion (.pth, or slim .safetensors)", "Karras et al. 2022",
     is_kdiffusion, read_kdiffusion, "ln σ/4; large σ is noise"},
    {"lucidrains", "model-N.pt of lucidrains/denoising-diffusion-pytorch", "Ho et al. 2020; Salimans & Ho 2022",
     is_lucidrains, read_lucidrains, "the index of the step, 0 to N - 1; N - 1 is noise; ε, x0 or v"},
    {"guided_diffusion", "weights of OpenAI's guided-diffusion (.pt): ADM", "Dhariwal & Nichol 2021",
     is_guided_diffusion, read_guided_diffusion, "the index of the step, 0 to N - 1; N - 1 is noise; ε"},
    {"improved_diffusion", "weights of OpenAI's improved-diffusion (.pt)", "Nichol & Dhariwal 2021",
     is_improved_diffusion, read_improved_diffusion, "the index of the step, counted to 1000; the largest is noise; ε"},
    {"consistency_models", "weights of OpenAI's consistency_models (.pt, .safetensors)", "Song et al. 2023",
     is_consistency_models, read_consistency_models, "250 ln σ; large σ is noise; D itself, cut to [-1, 1]"},
    {"diffusers", "model folders of huggingface/diffusers: UNet2DModel or DiTTransformer2DModel, with the scheduler",
     "von Platen et al. 2022", is_diffusers, read_diffusers,
     "the index of the step, 0 to N - 1, or what its scheduler tells; the largest is noise"},
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

// Its header, of JSON, follows eight bytes of its length.
bool is_safetensors(const std::filesystem::path& path) {
  std::string begin(9, '\0');
  std::ifstream(path, std::ios::binary).read(begin.data(), 9);
  return begin[8] == '{';
}

}  // namespace

std::span<const ForeignEntry> foreign_table() { return kForeign; }

bool may_be_foreign(const std::filesystem::path& path) {
  if (std::filesystem::is_directory(path)) return is_diffusers({.path = path});
  return std::filesystem::is_regular_file(path) && (is_safetensors(path) || PickleFile::is_one(path));
}

ForeignModel examine_foreign(const std::filesystem::path& path, std::string_view kind,
                             std::span<const std::string> said) {
  const bool is_folder = std::filesystem::is_directory(path);
  require(is_folder || std::filesystem::is_regular_file(path), "{}: no such file or folder", path.string());
  const ForeignEntry* entry = kind.empty() ? nullptr : &named(kind);
  require(is_folder || may_be_foreign(path),
          "{}: neither a pickle, a file of torch.save nor safetensors; converted are: {}", path.string(), kinds());
  ForeignFile file{.path = path, .said = Options::read_text("{}", "settings", said).flattened()};
  // A folder is read by those who know its layout.
  if (!is_folder && is_safetensors(path))
    file.tensors = std::make_shared<TensorFile>(read_tensors(path));
  else if (!is_folder)
    file.pickle = std::make_shared<PickleFile>(path);
  require(!entry || entry->is_one(file), "{}: no model of kind {}", path.string(), kind);
  if (!entry) entry = &found_out(file);
  std::map<std::string, std::string> flags;
  for (const auto& setting : said)
    if (const std::size_t at = setting.find('='); at != std::string::npos)
      flags[setting.substr(0, at)] = setting.substr(at + 1);
  file.settings = std::make_shared<ForeignSettings>(flags);
  ForeignModel out = entry->read(file);
  for (const auto& setting : said)
    if (!file.settings->asked(setting.substr(0, setting.find('=')))) out.overlay.push_back(setting);
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
