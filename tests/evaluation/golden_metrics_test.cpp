#include "edmund/core/error.h"
#include "edmund/evaluation/frechet.h"
#include "support/catch.h"
#include "support/golden.h"

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

}  // namespace

TEST_CASE("Fréchet and kernel distances equal those of the golden files", "[evaluation][golden]") {
  // The files hold precision, recall, density, coverage and the inception score as well: metrics that edmund does not have.
  testing::for_each_golden(
      {"metrics_"},
      [](Golden& golden) {
        for (const auto& set : sets(golden)) {
          const Tensor a = golden.real(set + ".features_1"), b = golden.real(set + ".features_2");
          golden.check(set + ": shape", golden.settings().at(set) == nlohmann::json(std::vector<std::int64_t>(
                                                                         a.sizes().begin(), a.sizes().end())));
          const Moments ma = moments_of(a), mb = moments_of(b);
          if (golden.has(set + ".mean_1")) golden.check_max(set + ".mean_1", ma.mean(), 1e-12);
          if (golden.has(set + ".cov_1")) golden.check_max(set + ".cov_1", ma.covariance(), 1e-12);
          const double distance = frechet_distance(ma, mb);
          golden.check_each(set + ".fid_exact_by_nuclear_norm", {distance}, 1e-6);
          // Roots by Schur decomposition, which the others take, are accurate only for covariances of full rank.
          const bool full_rank = std::min(a.size(0), b.size(0)) > a.size(1);
          for (const char* other : {".fid_torch_fidelity", ".fid_pytorch_fid"})
            if (full_rank && golden.has(set + other)) golden.check_each(set + other, {distance}, 1e-6);
          golden.check_each(set + ".kid_whole_set", {kernel_distance(a, b).value}, 1e-9);
        }
      },
      {"*.prdc.*", "*.precision_recall_torch_fidelity.*", "inception_score.*", "*.fid_torch_fidelity",
       "*.fid_pytorch_fid"});
}
