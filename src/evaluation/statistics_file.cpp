#include "edmund/evaluation/statistics_file.h"

#include "edmund/core/error.h"
#include "edmund/core/log.h"
#include "edmund/io/npz.h"

#include <array>
#include <ATen/ATen.h>
#include <utility>
#include <vector>

namespace edmund {
namespace {

constexpr std::array<const char*, 6> kRecord = {"extractor", "features", "data", "split", "resize", "edmund"};
constexpr std::int64_t kMostDimensions = 16384;

/// Mean and covariance under these names. Throws Error unless they fit each other.
std::pair<Tensor, Tensor> read_pair(const NpzFile& file, const std::string& path, const char* mean_name,
                                    const char* covariance_name) {
  const Tensor mean = file.array(mean_name, 1 << 20).to(at::kDouble),
               covariance = file.array(covariance_name, std::uint64_t{1} << 32).to(at::kDouble);
  require(mean.dim() == 1 && mean.size(0) > 0 && mean.size(0) <= kMostDimensions && covariance.dim() == 2 &&
              covariance.size(0) == mean.size(0) && covariance.size(1) == mean.size(0),
          "{}: '{}' and '{}' are no mean [D] and covariance [D, D] with D up to {}", path, mean_name, covariance_name,
          kMostDimensions);
  require(mean.isfinite().all().item<bool>() && covariance.isfinite().all().item<bool>(),
          "{}: '{}' or '{}' is not finite", path, mean_name, covariance_name);
  // Other programs write their sums in float32, or from halves of a sum: symmetric up to that.
  const double off = (covariance - covariance.t()).abs().max().item<double>(),
               largest = covariance.abs().max().item<double>();
  require(off <= 1e-5 * largest && covariance.diag().min().item<double>() >= -1e-5 * largest,
          "{}: '{}' is no covariance: not symmetric, or with negative variances", path, covariance_name);
  return {mean, covariance};
}

}  // namespace

ReferenceStatistics read_statistics(const std::filesystem::path& path) {
  require(path.extension() != ".pkl",
          "{}: a pickle can run code and is not read; save its `mu` and `sigma` with numpy.savez", path.string());
  const NpzFile file(path);
  ReferenceStatistics out{.file = path.string()};
  std::tie(out.mean, out.covariance) = read_pair(file, out.file, "mu", "sigma");
  if (file.has("mu_s") && file.has("sigma_s"))
    std::tie(out.spatial_mean, out.spatial_covariance) = read_pair(file, out.file, "mu_s", "sigma_s");
  if (file.has("count")) {
    const Tensor count = file.array("count", 8);
    require(count.numel() == 1 && count.scalar_type() == at::kLong && count.item<std::int64_t>() > 1,
            "{}: 'count' is no number of images", out.file);
    out.count = count.item<std::int64_t>();
  }
  for (const char* name : kRecord)
    if (file.has(name)) out.record[name] = file.text(name);
  return out;
}

std::string statistics_bytes(const ReferenceStatistics& statistics) {
  std::vector<std::pair<std::string, Tensor>> arrays = {{"mu", statistics.mean}, {"sigma", statistics.covariance}};
  if (statistics.spatial_mean.defined()) {
    arrays.emplace_back("mu_s", statistics.spatial_mean);
    arrays.emplace_back("sigma_s", statistics.spatial_covariance);
  }
  if (statistics.count) arrays.emplace_back("count", at::tensor(*statistics.count));
  return npz_bytes(arrays, statistics.record);
}

void require_same_features(const ReferenceStatistics& statistics, const FeatureExtractor& extractor,
                           std::int64_t dims) {
  const std::string& file = statistics.file;
  const std::int64_t found = statistics.mean.size(0);
  require(found == dims, "{}: statistics of {} features, those of '{}' are {}", file, found, extractor.name(), dims);
  const auto recorded = statistics.record.find("extractor");
  if (recorded != statistics.record.end()) {
    require(!extractor.fingerprint().empty() && recorded->second == extractor.fingerprint(),
            "{}: statistics of another extractor: {} there, {} here; take them anew with `edmund stats`", file,
            recorded->second, extractor.fingerprint().empty() ? extractor.name() : extractor.fingerprint());
    return;
  }
  require(extractor.literature_names().has_value(),
          "{}: does not say what its features are, so it is taken for Inception-v3's; the features here are '{}'", file,
          extractor.name());
  log::warn("{}: does not say how images were resized for it; taken as fit for {}", file, extractor.provenance());
}

}  // namespace edmund
