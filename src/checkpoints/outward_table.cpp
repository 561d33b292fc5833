#include "edmund/checkpoints/outward.h"
#include "edmund/core/error.h"
#include "edmund/core/text.h"

#include <algorithm>
#include <vector>

namespace edmund {

std::map<std::string, std::string> diffusers_files(const SavedModel& model);

namespace {
constexpr OutwardEntry kOutward[] = {
    {"diffusers", "a model folder of huggingface/diffusers: UNet2DModel of a block_unet", "von Platen et al. 2022",
     diffusers_files},
};
}  // namespace

std::span<const OutwardEntry> outward_table() { return kOutward; }

std::map<std::string, std::string> outward_files(std::string_view kind, const SavedModel& model) {
  std::vector<std::string_view> known;
  for (const auto& entry : kOutward) known.push_back(entry.name);
  const auto* found = std::ranges::find(kOutward, kind, &OutwardEntry::name);
  require(found != std::end(kOutward), "--to: no kind {}{}", in_quotes(kind), suggestion(kind, known));
  return found->files(model);
}

}  // namespace edmund
