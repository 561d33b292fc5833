#include "support/catch.h"
#include "support/process.h"

#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

namespace edmund::testing {
namespace {

using Catch::Matchers::WithinRel;
using nlohmann::json;

const std::string kOnce = " --rounds 1 --min-time 0 --threads 1 --json";

std::vector<json> lines_of(const TemporaryFolder& folder, const std::string& arguments) {
  write_text(folder.path() / "config.yaml", small_config());
  const Outcome outcome = edmund_run(folder.path(), "bench config.yaml " + arguments + kOnce);
  INFO(outcome.output);
  REQUIRE(outcome.code == 0);
  std::vector<json> out;
  std::istringstream lines(outcome.output);
  for (std::string line; std::getline(lines, line);) out.push_back(json::parse(line));
  return out;
}

TEST_CASE("bench times each phase with each backend, one JSON line a case", "[app]") {
  const TemporaryFolder folder;
  write_idx_data(folder.path());
  write_text(folder.path() / "config.yaml", small_config());
  const Outcome outcome = edmund_run(folder.path(),
                                     "bench config.yaml --phase forward,train,sample,optimizer,loader --kernels "
                                     "fast,reference,exact --batch 2 --rounds 1 --min-time 0 --threads 1 --json");
  REQUIRE(outcome.code == 0);
  std::istringstream lines(outcome.output);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const json result = json::parse(line);
    CHECK(result["case"].get<std::string>().starts_with("edmund-"));
    CHECK(result["batch"].get<int>() == 2);
    CHECK(result["ms"].get<double>() > 0);
    CHECK(result["img_s"].get<double>() > 0);
  }
  CHECK(count == 15);
  CHECK(edmund_run(folder.path(), "bench config.yaml --phase forwards").code == 2);
  CHECK(edmund_run(folder.path(), "bench config.yaml --kernels fastest").code == 2);
  const Outcome profile =
      edmund_run(folder.path(), "bench config.yaml --batch 2 --rounds 1 --min-time 0 --threads 1 --profile");
  CHECK(profile.output.find("conv 3x3") != std::string::npos);
  CHECK(profile.output.find("GFLOP/s") != std::string::npos);
}

TEST_CASE("bench's accuracy is the distance to float64, which Winograd adds to", "[app]") {
  const TemporaryFolder folder;
  write_idx_data(folder.path());
  const auto lines = lines_of(folder, "network.channels=32 --phase accuracy --kernels fast,exact,reference --batch 6");
  REQUIRE(lines.size() == 3);
  const auto error = [&](std::size_t i) { return lines[i]["relative_error"].get<double>(); };
  CHECK(error(0) <= 2e-5);
  CHECK(error(1) <= 5e-6);
  CHECK(error(1) < error(0));
  CHECK(error(2) > 1e-8);  // float32 is not float64: the weights are not zero
}

TEST_CASE("bench times torch::optim's loops, and takes the peak memory of a process of its own", "[app]") {
  const TemporaryFolder folder;
  write_idx_data(folder.path());
  const auto loops = lines_of(folder, "--phase loops");
  CHECK(loops.at(0)["case"] == "edmund-small:loops:fast");
  const auto few = lines_of(folder, "--phase memory --batch 1"), many = lines_of(folder, "--phase memory --batch 256");
  CHECK(few.at(0)["peak_mb"].get<double>() > 20);
  CHECK(many.at(0)["peak_mb"].get<double>() > few.at(0)["peak_mb"].get<double>());
  CHECK(edmund_run(folder.path(), "bench config.yaml --phase memory,train").code == 2);
}

TEST_CASE("bench's Fréchet distance is scipy's", "[app][slow]") {
  const TemporaryFolder folder;
  write_idx_data(folder.path());
  const auto lines = lines_of(folder, "--phase frechet,inception --batch 1");
  REQUIRE(lines.size() == 2);
  CHECK(lines[1]["img_s"].get<double>() > 0);
  // By scipy.linalg.sqrtm of the product of the covariances: `scripts/bench_peers frechet` has the
  // same features.
  CHECK_THAT(lines[0]["distance"].get<double>(), WithinRel(768.4140946915883, 1e-10));
}

}  // namespace
}  // namespace edmund::testing
