#pragma once

#include "edmund/app/run.h"
#include "edmund/studies/comparison_table.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace edmund {

class FeatureExtractor;
class Page;
struct Score;

/// A comparison (`edmund compare X.yaml`): models × ways to sample them, on the same seeds.
///
///   name       compare   of the report; the results go to runs/NAME unless told otherwise
///   models     []        list of {name, run}: run folders or checkpoints; with `baseline: MODEL`,
///                        differences of this one are to that model; with `adapters: [{file,
///                        strength}, …]`, these are added to its weights
///   images     1000      numbers 0 … images - 1, each the same noise and class in every cell
///   block      250       images between two saves
///   seed       0
///   nfe        []        budgets: each variant gets the most steps whose network evaluations do
///                        not
///                        exceed them; [] takes its steps as they stand
///   real       10000     most real images that metrics other than the Fréchet distance compare
///                        with, chosen by seed; that one is to all of them
///   metrics    [frechet, kid]   and others of the metric table
///   level      0.95      of the intervals
///   baseline   ""        variant that differences are taken to, at the same budget; "": the first.
///                        Or
///                        a model, at the same variant and budget
///   distance   {images: 64, tolerance: 1e-5}   distance to the solution of the ODE (rk45) from the
///                        same noise; 0 images: none
///   variants   []        list of {name, sampling}: a `sampling:` mapping laid over that of the
///                        run,
///                        or a preset alone
struct ComparePlan {
  struct Model {
    std::string name, run;
    std::string baseline = "";  // model of its differences; "": the plan's
    std::string adapters = "";  // override of the run's `adapters`; "": none
    std::string ema = "";       // which weights, see weights_named()
  };
  std::string name;
  std::vector<Model> models;
  std::vector<std::string> variants;
  std::vector<std::int64_t> nfe;
  std::int64_t images = 0, block = 0, real = 0, distance_images = 0;
  std::uint64_t seed = 0;
  double level = 0.0, tolerance = 0.0;
  std::vector<std::string> metrics;
  std::size_t baseline = 0;        // variant, or
  bool baseline_is_model = false;  // model
  const std::string& baseline_name() const { return baseline_is_model ? models[baseline].name : variants[baseline]; }
};

/// Reads a comparison's keys but the variants' `sampling:`, and `models` where they are not given;
/// mistakes are recorded.
ComparePlan read_comparison(Options& root, std::vector<ComparePlan::Model> models = {});

/// What the readers of a comparison say of its keys, `models` where they are not given.
std::vector<OptionFacts> comparison_facts(Options root, std::vector<ComparePlan::Model> models = {});

/// `sampling:` of an experiment, YAML with all defaults.
std::string sampling_text(const Experiment& experiment);
/// A variant's `sampling:` laid over `own`, that of the experiment, with so many steps unless it
/// names its own (0: as they stand). Mistakes are recorded.
Sampling variant_sampling(Options& sampling, std::int64_t steps, const Experiment& experiment, std::string_view own);
/// Records what is wrong in any variant for this experiment.
void check_variants(Options& comparison, const ComparePlan& plan, const Experiment& experiment);

/// What a cell is drawn for: a row of the table, or the solution of the ODE, which rows are
/// measured against.
enum class CellKind { kVariant, kSolution };

/// What is drawn together: a model, a variant, a budget (0: none).
struct CompareCell {
  CellKind kind = CellKind::kVariant;
  std::size_t model = 0, variant = 0;  // variant: of kVariant
  std::int64_t nfe = 0, steps = 0;
  std::string sampling;  // YAML, everything that its images depend on
  std::string key;       // checksum of all that the cell's images depend on
};

/// A plan whose cells are known.
class Comparison {
 public:
  /// Reads the config and loads the models. Throws Error with all mistakes.
  Comparison(const std::filesystem::path& file, const std::vector<std::string>& overrides, std::filesystem::path out);

  const ComparePlan& plan() const { return plan_; }
  const std::vector<CompareCell>& cells() const { return cells_; }
  const std::filesystem::path& out() const { return out_; }
  /// `sampling:` of each variant as it stands in the file, YAML.
  const std::vector<std::string>& variant_settings() const { return variants_; }

  /// Draws and scores the cells with index % count == index of the shard; what lies in `out`
  /// already is taken from there. Calls `done` with each. Throws Interrupted between two batches if
  /// the process was asked to stop; finished blocks and cells lie in `out` then.
  void run(std::int64_t shard, std::int64_t shards, const std::function<void(const CellResult&)>& done);
  /// Whether all images of the cell lie in `out`.
  bool drawn(const CompareCell& cell) const;
  /// Whether every cell is done.
  bool complete() const;
  /// Results of all finished cells, with differences to the baseline.
  ComparisonTable table();
  /// Images 0 … count - 1 of a finished cell, uint8 [count, C, H, W].
  Tensor images_of(const CompareCell& cell, std::int64_t count) const;

 private:
  struct RealSet;
  struct Loaded;
  void add_cells(std::size_t model);
  Sampling sampling_of(const CompareCell& cell, std::string* resolved = nullptr);
  std::filesystem::path folder(const CompareCell& cell) const { return out_ / "cells" / cell.key; }
  std::string scoring(const CompareCell& cell) const;
  std::filesystem::path scores_file(const CompareCell& cell) const;
  std::filesystem::path block_file(const CompareCell& cell, std::int64_t first) const;
  std::int64_t images_in(const CompareCell& cell) const;
  void draw(const CompareCell& cell);
  void mend(const CompareCell& cell);
  Tensor values_of(const CompareCell& cell) const;
  Loaded& loaded(std::size_t model);
  CellResult scored(const CompareCell& cell);
  /// Its scores, if they lie there undamaged; kept() throws Error if not.
  std::optional<CellResult> whole(const CompareCell& cell) const;
  CellResult kept(const CompareCell& cell) const;
  void name(CellResult& result, const CompareCell& cell) const;
  std::vector<CellScore> scores_of(const CompareCell& cell);
  CellScore cell_score(const Score& score) const;
  Tensor features_of(const CompareCell& cell, const FeatureExtractor& features) const;
  Tensor labels_of(const CompareCell& cell);
  std::optional<CellScore> class_score(const CompareCell& cell, const Tensor& features);
  Measured distance_of(const CompareCell& cell) const;
  const CompareCell* baseline_of(const CompareCell& cell) const;
  void add_differences(const CompareCell& cell, std::vector<CellScore>& scores);
  ModelFacts facts_of(std::size_t model);
  std::vector<CellScore> scores_by(const Loaded& scorer, const CompareCell& cell);

  std::filesystem::path out_;
  ComparePlan plan_;
  std::vector<std::string> variants_;  // `sampling:` of each, YAML
  std::string solution_;               // and of the solution
  std::vector<CompareCell> cells_;
  std::vector<std::shared_ptr<Loaded>> loaded_;
};

/// Which color and dashes a model has on a page with one variant: see Series.
struct ModelLook {
  std::string model;
  std::int64_t look = 0, dash = -1;
};
/// Page with plots, table and images, `more` before them.
Page compare_page(Comparison& comparison, const ComparisonTable& table,
                  const std::function<void(Page&)>& more = nullptr, std::span<const ModelLook> looks = {});

}  // namespace edmund
