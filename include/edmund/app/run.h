#pragma once

#include "edmund/app/config.h"
#include "edmund/core/error.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace edmund {

/// A run folder: config.yaml, resolved.yaml, metrics.jsonl, timing.jsonl, log.txt, checkpoints/,
/// images/, branches.json, branches/, diverged/, scores.json, report.html.
struct RunFolder {
  std::filesystem::path path;

  std::filesystem::path config() const { return path / "config.yaml"; }  // what people chose
  // all that was in use, for readers
  std::filesystem::path resolved() const { return path / "resolved.yaml"; }
  std::filesystem::path metrics() const { return path / "metrics.jsonl"; }
  std::filesystem::path timing() const { return path / "timing.jsonl"; }
  std::filesystem::path images() const { return path / "images"; }
  std::filesystem::path scores() const { return path / "scores.json"; }
  std::filesystem::path report() const { return path / "report.html"; }
};

/// The config of a run folder with `overrides`. Paths in it that are not absolute start at the
/// working folder.
Options run_options(const RunFolder& run, std::span<const std::string> overrides = {});
/// Lays what a stored config, `resolved`, says of the images below `options`: their shape and
/// classes are no defaults but facts of the data, which is not read again.
void take_image(Options& options, const std::string& resolved, const std::string& name);
/// The chosen config of an experiment with `overrides`, to construct parts of it anew.
Options options_again(const Experiment& experiment, std::span<const std::string> overrides = {});

/// Which weights of a checkpoint: the average that its config names, the network's own, or a
/// power-function average of any relative width, made of those that the training kept
/// (`training.ema_tracks`; Karras et al. 2024).
struct Weights {
  enum class Kind { kEma, kRaw, kWidth };
  Kind kind = Kind::kEma;
  double width = 0.0;

  static const Weights kEma, kRaw;
  bool operator==(const Weights&) const = default;
  /// "ema", "raw", "ema 0.075".
  std::string name() const;
};
inline constexpr Weights Weights::kEma{.kind = Weights::Kind::kEma};
inline constexpr Weights Weights::kRaw{.kind = Weights::Kind::kRaw};
/// "ema", "raw", or a width in (0, 1/√12). Throws Error, which begins with `where`, for anything
/// else.
Weights weights_named(std::string_view text, std::string_view where);

/// A trained model ready to sample: its run, the checkpoint that was taken and the experiment with
/// `overrides` applied.
struct TrainedModel {
  RunFolder run;
  std::filesystem::path checkpoint;
  std::int64_t images = 0;  // trained on so far
  Weights weights = {};
  Experiment experiment;  // model holds the weights
};

/// A checkpoint of a run.
struct FoundCheckpoint {
  RunFolder run;
  std::filesystem::path folder;
};
/// The newest whole checkpoint of a run, or the one that the path names itself. Throws Error naming
/// what is missing.
FoundCheckpoint find_checkpoint(const std::filesystem::path& run_or_checkpoint);

/// The network's weights of this kind, in place of those that it has; `folder` is the checkpoint.
/// Returns the moment that they are of, in images: of an average that is reconstructed the last one
/// that was kept until then.
std::int64_t load_into(Network& network, const RunFolder& run, const std::filesystem::path& folder, Weights weights);

/// Loads the model of a run or a checkpoint folder, with `overrides` on its config, whose backend
/// becomes that of the process; on the device of this machine unless an override names one. Throws
/// Error naming what is missing.
TrainedModel load_model(const std::filesystem::path& run_or_checkpoint, std::span<const std::string> overrides,
                        Needs needs, Weights weights = Weights::kEma);

/// Throws Error if the folder holds checkpoints of another training, naming the keys that differ:
/// of all values in use, whoever chose them, but for what a branch has changed. How long it is,
/// what it reports and how it samples may differ.
void require_same_training(const Experiment& experiment, const RunFolder& run);
/// Makes the checkpoint `from` of the run its newest one, and the experiment's settings those that
/// it goes on with; nothing: it begins anew. What the run has past that position is moved to
/// RUN/branches/N, and the change is written to branches.json. Throws Error, before anything is
/// changed, where the checkpoint is damaged or cannot go on with these settings: of the network and
/// the data it keeps all.
void start_branch(Experiment& experiment, const RunFolder& run, const std::optional<std::filesystem::path>& from);

/// Trains in the run folder until the config's image count, from the newest checkpoint if there is
/// one, else from weights initialized by the config's seed. Returns kInterrupted after a saved
/// stop. Throws Error where it diverges, naming the last healthy checkpoint and the command that
/// goes on from it; the batch that it began with lies in RUN/diverged then.
ExitCode train_run(Experiment& experiment, const RunFolder& run);
/// What train_run() checks before it makes anything: the images, and those that are held out.
void check_run(const Experiment& experiment, const RunFolder& run);

/// A batch of RUN/diverged at the weights of a checkpoint (nothing: those that the run began with)
/// as a table: position, image, label, place on the clock and loss of each image, and the norm of
/// the gradient, with `overrides` on the run's config. Throws Error where they do not fit.
std::string replayed_batch(const RunFolder& run, const std::optional<std::filesystem::path>& checkpoint,
                           std::span<const std::string> overrides, const std::filesystem::path& file);

/// Writes report.html from what lies in the run folder, for a network of so many parameters.
void write_report(const RunFolder& run, std::int64_t parameters);

}  // namespace edmund
