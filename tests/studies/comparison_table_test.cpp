#include "edmund/core/error.h"
#include "edmund/studies/ablate.h"
#include "edmund/studies/comparison_files.h"
#include "support/catch.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace edmund::testing {
namespace {

using Catch::Matchers::WithinRel;

// A cell with a Fréchet distance, or without.
CellResult cell(const std::string& model, const std::string& variant, std::int64_t nfe, std::optional<double> frechet,
                std::optional<double> distance = {}) {
  CellResult out{
      .model = model, .variant = variant, .budget = nfe, .steps = 2, .nfe = nfe, .images = 10, .seconds = 0.5};
  if (frechet) out.scores = {{.metric = "frechet", .name = "Fréchet distance", .measured = {.value = *frechet}}};
  if (distance) out.distance = {.value = *distance};
  return out;
}

// A cell of which everything is known.
CellResult full_cell() {
  CellResult out = cell("a \"b\"", "heun, ρ = 7", 5, {}, 1.0 / 3);
  out.stochastic = true;
  out.scores = {
      {.metric = "frechet",
       .name = "Fréchet distance (pca, 4-d)",
       .estimator = "plug-in",
       .images = 10,
       .real = 30,
       .measured = {.value = 0.1, .error = 0.2, .low = -0.3, .high = 0.4, .bias = 0.5},
       .floor_images = 10,
       .floor_real = 20,
       .difference = Measured{.value = 1e-300, .error = 0.0, .low = -1.0, .high = 1.0, .bias = 2.0},
       .influence = {0.7, 1.0 / 7}},
      {.metric = "nearest", .name = "nearest", .measured = {.value = 3, .error = 4}, .floor = 5, .ceiling = 6}};
  out.sampling = "sampler: {type: heun}\n";
  out.pareto = false;
  out.order = 1.9;
  return out;
}

}  // namespace

TEST_CASE("a cell's results are the same after they were written and read, whatever is known of them", "[studies]") {
  for (const CellResult& written : {full_cell(), cell("m", "v", 0, {}), cell("m", "v", 3, 2.5)}) {
    const std::string text = json_of(written).dump(1);
    INFO(text);
    const CellResult read = read_cell(text, "cell");
    CHECK(json_of(read).dump(1) == text);
    CHECK(read.scores.size() == written.scores.size());
    CHECK(read.pareto == written.pareto);
  }
  const CellResult read = read_cell(json_of(full_cell()).dump(), "cell");
  REQUIRE(read.score("frechet") != nullptr);
  CHECK(read.score("frechet")->influence == full_cell().scores[0].influence);
  CHECK(read.score("frechet")->difference->value == 1e-300);
  CHECK(read.score("nearest")->ceiling == 6.0);
  CHECK(read.score("kid") == nullptr);
  CHECK(read.seconds == 0.5);
}

TEST_CASE("a result that is not finite is null in JSON, NaN when read, and empty in CSV", "[studies]") {
  CellResult written = cell("m", "v", 3, NAN);
  written.seconds = NAN;
  const std::string text = json_of(written).dump();
  CHECK(text.find("\"value\":null") != std::string::npos);
  CHECK(std::isnan(read_cell(text, "cell").score("frechet")->measured.value));
  CHECK(csv_of(ComparisonTable{.cells = {written}}).find("10,,\"frechet\",,,,,,,,false,\n") != std::string::npos);
}

TEST_CASE("damaged results are refused in one line that names the file", "[studies]") {
  for (const char* text : {"", "{", "[]", "{\"model\": 3}", "{\"value\": \"x\"}"}) {
    INFO(text);
    CHECK_THROWS_WITH(read_cell(text, "scores-1.json"), Catch::Matchers::StartsWith("scores-1.json: damaged results"));
    CHECK_THROWS_AS(read_measured(text, "less-1.json"), Error);
  }
}

TEST_CASE("a cell is on the Pareto front unless another of its model is as good in both and better in one",
          "[studies]") {
  std::vector<CellResult> cells = {cell("m", "a", 3, 9.0), cell("m", "a", 5, 4.0),  cell("m", "b", 5, 4.0),
                                   cell("m", "b", 7, 4.5), cell("n", "a", 9, 10.0), cell("m", "c", 1, {})};
  mark_pareto(cells);
  const std::vector<std::optional<bool>> expected = {true, true, true, false, true, std::nullopt};
  for (std::size_t i = 0; i < cells.size(); ++i) CHECK(cells[i].pareto == expected[i]);
}

TEST_CASE("the order of convergence is the slope from the budget before, of the same model and variant", "[studies]") {
  std::vector<CellResult> cells = {cell("m", "a", 4, {}, 0.8), cell("m", "a", 6, {}), cell("m", "a", 8, {}, 0.2),
                                   cell("m", "b", 16, {}, 0.1), cell("n", "b", 32, {}, 0.1)};
  add_orders(cells);
  CHECK_THAT(cells[2].order.value(), WithinRel(2.0, 1e-12));
  for (const std::size_t i : {0u, 1u, 3u, 4u}) CHECK_FALSE(cells[i].order.has_value());
}

TEST_CASE("a training is judged by the first variant at its largest budget", "[studies]") {
  const ComparisonTable table{.cells = {cell("m", "a", 3, 9.0), cell("m", "a", 7, 5.0), cell("m", "a", 5, 6.0),
                                        cell("m", "b", 9, 1.0), cell("n", "a", 9, 2.0), cell("o", "a", 9, {})}};
  CHECK(main_score(table, "m")->measured.value == 5.0);
  CHECK(main_score(table, "n")->measured.value == 2.0);
  CHECK(main_score(table, "o") == nullptr);
}

}  // namespace edmund::testing
