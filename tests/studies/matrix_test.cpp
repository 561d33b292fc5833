// Every schedule × sampler × parameterization of the tables: a new entry is in it at once, and must
// state what to expect.
#include "edmund/studies/matrix.h"

#include "edmund/diffusion/preconditioning.h"
#include "edmund/samplers/sampler.h"
#include "edmund/schedules/noise_schedule.h"
#include "schedules/formulas.h"
#include "support/catch.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace edmund::testing {
namespace {

const Matrix& measured() {
  static const Matrix matrix = convergence_matrix({.threads = 2});
  return matrix;
}

TEST_CASE("every sampler does on every schedule and parameterization what its table states", "[matrix]") {
  const Matrix& matrix = measured();
  CHECK(matrix.cells.size() == sampler_table().size() * schedule_table().size() * preconditioning_table().size());
  CHECK(matrix.uncertainty < 1e-12);
  for (const auto& cell : matrix.cells) {
    INFO(cell.sampler << " on " << cell.schedule << ", " << cell.preconditioning);
    CHECK(complaint(cell) == "");
    // Nothing is left out in silence.
    CHECK(!cell.evaluations.empty());
  }
}

TEST_CASE("parameterizations of one sampler and schedule differ by rounding only", "[matrix]") {
  for (const auto& cell : measured().cells)
    for (const auto& other : measured().cells)
      if (cell.sampler == other.sampler && cell.schedule == other.schedule && cell.order > 0 &&
          !cell.distances.empty() && !other.distances.empty()) {
        INFO(cell.sampler << " on " << cell.schedule << ": " << cell.preconditioning << ", " << other.preconditioning);
        CHECK(std::abs(cell.distances.front() - other.distances.front()) < 1e-9 * cell.distances.front() + 1e-12);
      }
}

TEST_CASE("configs that cannot work are refused with the reason, and no others", "[matrix]") {
  std::size_t refused = 0;
  for (const auto& config : measured().configs) {
    INFO(config.config << ": " << config.refusal);
    CHECK(complaint(config) == "");
    const bool no_clean_time = config.expected.find("clean time") != std::string::npos;
    const bool singular = config.expected.find("c_out") != std::string::npos;
    if (no_clean_time) CHECK(config.refusal.find("final") != std::string::npos);
    if (singular) CHECK(config.refusal.find("zero terminal SNR") != std::string::npos);
    refused += config.refusal.empty() ? 0 : 1;
  }
  CHECK(refused > 0);
  CHECK(refused < measured().configs.size() / 2);
}

TEST_CASE("every schedule of the table and each of its variants is measured by itself", "[matrix]") {
  std::size_t rows = 0;
  for (const auto& row : schedule_table()) rows += 1 + row.variants.size();
  CHECK(measured().schedules.size() == rows);
  for (const auto& schedule : measured().schedules) {
    INFO(schedule.schedule);
    CHECK(complaint(schedule) == "");
  }
}

TEST_CASE("a broken schedule is a complaint, and so is each cell that it keeps from being measured", "[matrix]") {
  Matrix matrix{.schedules = {edmund::measured("right", FormulaSchedule({})),
                              edmund::measured("falling", FormulaSchedule(falling()))}};
  CHECK(complaint(matrix.schedules[0]).empty());
  CHECK(complaint(matrix.schedules[1]).find("σ does not increase") != std::string::npos);
  // What a config with such a schedule is told: its range of σ is empty.
  matrix.cells.push_back({.schedule = "falling", .sampler = "heun", .order = 2, .failure = "no noise levels"});
  CHECK(complaint(matrix.cells[0]) == "no noise levels");
  matrix.configs.push_back({.config = "schedule falling", .refusal = "no noise levels"});
  CHECK(complaint(matrix.configs[0]).find("refused: no noise levels") != std::string::npos);
  CHECK(complaints(matrix).size() == 3);
  CHECK(summary(matrix) == "1 cells, 2 schedules and 1 configs: 3 not as stated");
  CHECK(matrix_page(matrix).find("σ does not increase") != std::string::npos);
}

TEST_CASE("a config that should have been refused is a complaint", "[matrix]") {
  MatrixConfig config{.config = "schedule ve; final euler", .expected = "the schedule has no clean time"};
  CHECK(complaint(config) == "accepted, although the schedule has no clean time");
  config.refusal = "sampler.final: …";
  CHECK(complaint(config).empty());
}

TEST_CASE("a complaint tells what is not as stated", "[matrix]") {
  MatrixCell cell{.schedule = "edm",
                  .sampler = "heun",
                  .order = 2,
                  .steps = {16, 32},
                  .distances = {1e-2, 3e-3},
                  .slope = 1.8,
                  .standard_error = 0.01};
  CHECK(complaint(cell).find("order 2") != std::string::npos);
  cell.slope = 1.9;
  CHECK(complaint(cell).empty());
  cell.order = 0;
  CHECK(complaint(cell).find("no order") != std::string::npos);
  cell.order = SamplerEntry::kStochastic;
  cell.deviation = 6;
  CHECK(complaint(cell).find("6 standard errors") != std::string::npos);
  cell.failure = "broke";
  CHECK(complaint(cell) == "broke");
}

TEST_CASE("JSON and page hold every cell", "[matrix]") {
  const auto json = nlohmann::json::parse(matrix_json(measured()));
  REQUIRE(json["cells"].size() == measured().cells.size());
  CHECK(json["schedules"].size() == measured().schedules.size());
  CHECK(json["configs"].size() == measured().configs.size());
  const std::string page = matrix_page(measured());
  for (const auto& row : sampler_table()) CHECK(page.find(std::string(row.name)) != std::string::npos);
  for (const auto& row : schedule_table()) CHECK(page.find("heun-" + std::string(row.name)) != std::string::npos);
  CHECK(page.find("<script") == std::string::npos);
  CHECK(page.find("http:") == page.find("http://www.w3.org/2000/svg"));
}

}  // namespace
}  // namespace edmund::testing
