#include "unfinished_sums.h"

#include "edmund/core/files.h"
#include "edmund/core/text.h"
#include "kept_tensors.h"

#include <ATen/ATen.h>
#include <string>

namespace edmund {
namespace {

constexpr std::string_view kKind = "edmund-sums 1";

}  // namespace

std::filesystem::path unfinished_file(const std::filesystem::path& folder, const FeatureExtractor& features,
                                      const Dataset& data, std::int64_t kept, std::uint64_t seed) {
  if (folder.empty() || features.fingerprint().empty()) return {};
  const DataFingerprint content = data.fingerprint();
  if (content.images == 0) return {};
  const DatasetInfo info = data.info();
  return folder /
         format("sums-{}.unfinished", checksum(format("{}, {} {} {} {} {}x{}x{}, {} by {}", features.fingerprint(),
                                                      content.content, content.labels, info.name, info.size,
                                                      info.channels, info.height, info.width, kept, seed)));
}

void write_sums(const std::filesystem::path& file, const Sums& sums) {
  if (file.empty() || sums.done == 0) return;
  std::vector<std::pair<std::string, Tensor>> tensors = {{"mean", sums.moments.mean()},
                                                         {"scatter", sums.moments.scatter()}};
  if (sums.kept.defined()) tensors.emplace_back("kept", sums.kept);
  if (sums.labels.defined()) tensors.emplace_back("labels", sums.labels);
  write_kept_tensors(file, kKind, tensors,
                     {{"done", std::to_string(sums.done)}, {"count", std::to_string(sums.moments.count())}});
}

Sums read_sums(const std::filesystem::path& file) {
  const auto kept = file.empty() ? std::nullopt : kept_tensors(file, kKind, "the features are summed up anew");
  if (!kept) return {};
  const auto number = [&](const char* key) { return parse_integer(kept->metadata.at(key)).value_or(0); };
  const auto optional = [&](const std::string& key) {
    const auto found = kept->tensors.find(key);
    return found == kept->tensors.end() ? Tensor() : found->second;
  };
  return {.done = number("done"),
          .moments = Moments(number("count"), kept->at("mean"), kept->at("scatter")),
          .kept = optional("kept"),
          .labels = optional("labels")};
}

}  // namespace edmund
