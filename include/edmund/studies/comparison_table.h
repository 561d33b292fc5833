#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace edmund {

/// A number with what is known of its uncertainty.
struct Measured {
  double value = 0.0;
  std::optional<double> error = {};           // standard error, from the choice of the drawn images
  std::optional<double> low = {}, high = {};  // interval about the value, of the table's level
  std::optional<double> bias = {};            // what finitely many drawn images add to the value
};

/// One metric of a cell.
struct CellScore {
  std::string metric;                 // key of the results, as in Score: "frechet", "kid" …
  std::string name;                   // what reports print: "Fréchet distance (classifier, 64-d)"
  std::string estimator = {};         // what is computed from the images
  std::int64_t images = 0, real = 0;  // that are compared; 0: not known
  Measured measured = {};
  std::optional<double> floor = {}, ceiling = {};  // what real images get, and noise
  std::int64_t floor_images = 0, floor_real = 0;   // that the floor compares
  std::optional<Measured> difference = {};         // to the baseline, paired by seeds
  std::vector<double> influence = {};              // of each image, kept for differences
};

/// What is known of a cell: a model sampled in one way. Kept beside its images without the last
/// three.
struct CellResult {
  std::string model, variant;
  std::int64_t budget = 0, steps = 0;  // 0: none, and as the variant's config says
  std::int64_t nfe = 0;                // network evaluations an image
  bool stochastic = false;             // draws noise beside that of the start
  std::int64_t images = 0;
  double seconds = 0.0;  // that drawing all of them took
  std::vector<CellScore> scores = {};
  /// RMS to the solution of the ODE from the same noise, of values in [-1, 1].
  std::optional<Measured> distance = {};
  std::string sampling = {};  // YAML
  /// Whether no other cell of the model beats it in both evaluations and Fréchet distance.
  std::optional<bool> pareto = {};
  /// Order of convergence from the budget before: -d ln distance / d ln NFE.
  std::optional<double> order = {};

  /// The score of this key, null if there is none.
  const CellScore* score(std::string_view metric) const;
  double milliseconds() const { return 1000 * seconds / static_cast<double>(images); }  // an image
};

/// Which model was compared, and with what its images were scored.
struct ModelFacts {
  std::string name, checkpoint;
  std::int64_t trained_images = 0;
  std::string weights;  // checksum
  std::string features, features_from;
  std::string kind = {};      // of weights: "ema", "raw" or "ema 0.07", and the adapters on them
  std::string baseline = {};  // model of its differences; "": the table's
};

/// All results of a comparison.
struct ComparisonTable {
  std::string name;
  std::int64_t images = 0;
  std::uint64_t seed = 0;
  double level = 0.0;
  std::string baseline;
  std::int64_t real = 0;
  std::vector<CellResult> cells = {};
  std::vector<ModelFacts> models = {};

  /// Cells of a model, and of a variant if one is named.
  std::vector<CellResult> cells_of(std::string_view model, std::string_view variant = "") const;
};

/// Sets `pareto` of the cells that have a Fréchet distance, and `order` where the cell before has a
/// distance to the ODE of the same model and variant at fewer evaluations.
void mark_pareto(std::vector<CellResult>& cells);
void add_orders(std::vector<CellResult>& cells);

}  // namespace edmund
