#include "edmund/core/error.h"
#include "edmund/evaluation/frechet.h"
#include "edmund/evaluation/inception_score.h"
#include "edmund/evaluation/kernel_distance.h"
#include "edmund/evaluation/neighbors.h"
#include "support/catch.h"
#include "support/golden.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <utility>

using namespace edmund;
using testing::Golden;

namespace {

Moments moments_of(const Tensor& features) {
  Moments moments;
  moments.add(features);
  return moments;
}

/// Sets of the file that have features of both sides, all of them stated in its settings.
std::vector<std::string> sets(Golden& golden) {
  std::vector<std::string> out;
  for (const auto& set : golden.parts())
    if (golden.has(set + ".features_1")) out.push_back(set);
  for (const auto& [name, value] : golden.settings().items())
    if (value.is_array())
      golden.check("features of the set " + name, std::find(out.begin(), out.end(), name) != out.end());
  return out;
}

/// The number in a name's part: 5 of "k5".
std::int64_t number_of(const std::string& part) {
  return static_cast<std::int64_t>(testing::number_in(part, R"((\d+)$)"));
}

void check_distances(Golden& golden, const std::string& set, const Tensor& a, const Tensor& b) {
  const Moments ma = moments_of(a), mb = moments_of(b);
  for (const auto& [side, moments] : {std::pair{"_1", &ma}, {"_2", &mb}}) {
    if (golden.has(set + ".mean" + side)) golden.check_max(set + ".mean" + side, moments->mean(), 1e-12);
    if (golden.has(set + ".cov" + side)) golden.check_max(set + ".cov" + side, moments->covariance(), 1e-12);
  }
  const double distance = frechet_distance(ma, mb);
  const std::string exact = set + ".fid_exact_by_nuclear_norm";
  if (golden.has(exact)) golden.check_each(exact, {distance}, 1e-6);
  // Roots by Schur decomposition, which the others take, are accurate only for covariances of full
  // rank; of others the file has the exact distance as well.
  const bool full_rank = std::min(a.size(0), b.size(0)) > a.size(1);
  for (const char* other : {".fid_torch_fidelity", ".fid_pytorch_fid"}) {
    if (!golden.has(set + other)) continue;
    if (full_rank)
      golden.check_each(set + other, {distance}, 1e-6);
    else
      golden.check(set + other + " stands beside the exact distance",
                   golden.has(exact) && golden.use(set + other).numel() == 1);
  }
  if (golden.has(set + ".kid_whole_set"))
    golden.check_each(set + ".kid_whole_set", {kernel_distance(a, b).value}, 1e-9);
}

/// Shares of so many images each as counts. The reference took their mean in float32.
Tensor counts_of(const Tensor& shares, const Tensor& images) { return (shares.to(at::kDouble) * images).round(); }

/// 1 = generated, 2 = real, as the notes state.
void check_neighbors(Golden& golden, const std::string& set, const Tensor& generated, const Tensor& real) {
  const std::string prdc = set + ".prdc.", precise = set + ".precision_recall_torch_fidelity.";
  for (const auto& part : golden.parts(prdc)) {
    const std::int64_t k = number_of(part);
    const auto [precision, recall] = precision_recall(real, generated, k, Ball::kOpen);
    const auto [density, coverage] = density_coverage(real, generated, k);
    golden.check_each(prdc + part, {precision, recall, density, coverage}, 1e-15);
  }
  for (const auto& part : golden.parts(precise)) {
    const auto [precision, recall] = precision_recall(real, generated, number_of(part));
    // of the generated images, and of the real ones
    const Tensor images = at::tensor({generated.size(0), real.size(0)}).to(at::kDouble);
    golden.check_each_of(precise + part, counts_of(at::tensor({precision, recall}, at::kDouble), images),
                         counts_of(golden.use(precise + part), images), 0.0);
  }
}

}  // namespace

TEST_CASE("metrics equal those of the golden files", "[evaluation][golden]") {
  testing::for_each_golden({"metrics_"}, [](Golden& golden) {
    for (const auto& set : sets(golden)) {
      const Tensor generated = golden.real(set + ".features_1"), real = golden.real(set + ".features_2");
      const auto has_shape = [&](const Tensor& features) {
        return golden.settings().at(set) == nlohmann::json(features.sizes().vec());
      };
      golden.check(set + ": shape", has_shape(real) || has_shape(generated));
      check_distances(golden, set, generated, real);
      check_neighbors(golden, set, generated, real);
    }
    for (const auto& part : golden.parts("inception_score.splits")) {
      const auto [mean, std] = inception_score(golden.use("inception_score.logits"), number_of(part));
      golden.check_each("inception_score.splits" + part + ".mean_std", {mean, std}, 1e-9, 1e-12);
    }
  });
}
