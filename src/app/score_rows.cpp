#include "edmund/app/score_rows.h"

#include "edmund/core/files.h"
#include "edmund/core/json_text.h"
#include "edmund/core/log.h"
#include "edmund/core/parsed_json.h"
#include "edmund/core/sealed_json.h"
#include "edmund/training/checkpoint.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <string_view>

namespace edmund {
namespace {

using nlohmann::ordered_json;

// In the name of a Sampling, or without an effect on any image.
constexpr std::array<std::string_view, 7> kNamed = {
    "sampling.sampler.type", "sampling.grid.type",  "sampling.schedule.type", "sampling.grid.steps",
    "sampling.preset",       "sampling.batch_size", "sampling.classes"};

std::vector<OptionFacts> facts_of(const Experiment& experiment) {
  return Options(experiment.config.options).child("sampling").facts();
}

/// "sampling.sampler.S_churn" → "S_churn"; "sampling.clip" → "clip".
std::string short_key(std::string_view path) {
  path.remove_prefix(std::min(path.size(), std::string_view("sampling.").size()));
  for (const std::string_view family : {"sampler.", "grid.", "schedule."})
    if (path.starts_with(family)) path.remove_prefix(family.size());
  return std::string(path);
}

ordered_json number(double value) { return std::isfinite(value) ? ordered_json(value) : ordered_json(); }
ordered_json number(std::optional<double> value) { return value ? number(*value) : ordered_json(); }
ordered_json count(std::int64_t value) { return value > 0 ? ordered_json(value) : ordered_json(); }

struct Rows {
  std::vector<ordered_json> whole;
  bool is_damaged = false;
};

void warn_once(const std::string& message) {
  if (log::is_new(message)) log::warn("{}", message);
}

Rows read_rows(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) return {};
  const ordered_json all = parsed_json<ordered_json>(read_file(file));
  Rows out{.whole = {}, .is_damaged = !all.is_array()};
  if (out.is_damaged) {
    warn_once(format("{}: damaged; no score in it can be read", file));
    return out;
  }
  for (const ordered_json& row : all) {
    if (is_whole(row)) {
      out.whole.push_back(row);
      continue;
    }
    out.is_damaged = true;
    warn_once(
        format("{}: the row {} is damaged; the same evaluation makes it again", file, json_text(member(row, "name"))));
  }
  return out;
}

}  // namespace

std::string EvaluationFacts::fingerprint() const {
  std::string text = "2";
  for (const std::string* part : {&weights, &images, &sampling, &scoring})
    text += format("\n{} {}", part->size(), *part);
  return checksum(text);
}

std::string EvaluationFacts::protocol() const {
  EvaluationFacts others = *this;
  others.weights.clear();
  return others.fingerprint();
}

std::string sampling_facts(const Experiment& experiment) {
  std::string out;
  for (const OptionFacts& fact : facts_of(experiment))
    if (fact.kind != "mapping" && fact.path != "sampling.batch_size" && fact.path != "sampling.preset")
      out += format("{}{}={}", out.empty() ? "" : ", ", fact.path, fact.value);
  return out;
}

std::vector<std::string> differences(const TrainedModel& trained, Weights weights, const Experiment& own) {
  std::vector<std::string> out;
  if (weights != Weights::kEma) out.push_back(weights == Weights::kRaw ? "raw weights" : weights.name());
  const auto newest = newest_checkpoint(trained.run.path);
  if (newest && newest->filename() != trained.checkpoint.filename())
    out.push_back(format("checkpoint {}", trained.images));
  std::map<std::string, std::string> before;
  for (const OptionFacts& fact : facts_of(own)) before[fact.path] = fact.value;
  for (const OptionFacts& fact : facts_of(trained.experiment)) {
    if (!fact.is_chosen || fact.kind == "mapping" || std::ranges::find(kNamed, fact.path) != kNamed.end()) continue;
    if (const auto found = before.find(fact.path); found == before.end() || found->second != fact.value)
      out.push_back(short_key(fact.path) + "=" + fact.value);
  }
  const EvaluationSettings &now = trained.experiment.config.evaluation, &then = own.config.evaluation;
  if (now.images != then.images) out.push_back(format("{} images", now.images));
  if (now.seed != then.seed) out.push_back(format("seed {}", now.seed));
  if (now.reference != then.reference)
    out.push_back(now.reference.empty() ? "no reference file" : format("to {}", now.reference));
  return out;
}

ordered_json json_of(const Score& score) {
  const auto half = half_interval(score.error);
  ordered_json out = {{"name", score.name},
                      {"estimator", score.estimator},
                      {"images", score.of.images},
                      {"real", count(score.of.real)},
                      {"value", number(score.value)},
                      {"error", number(score.error)},
                      {"low", half ? number(score.value - *half) : number(std::nullopt)},
                      {"high", half ? number(score.value + *half) : number(std::nullopt)},
                      {"bias", number(score.bias)},
                      {"corrected", number(score.corrected())},
                      {"floor", number(score.floor)},
                      {"floor_images", score.floor_of.images},
                      {"floor_real", count(score.floor_of.real)},
                      {"ceiling", number(score.ceiling)},
                      {"ceiling_images", score.ceiling_of.images},
                      {"ceiling_real", count(score.ceiling_of.real)},
                      {"closed", number(score.closed())}};
  if (!score.caution.empty()) out["caution"] = score.caution;
  return out;
}

std::optional<ordered_json> kept_row(const std::string& evaluation, const std::filesystem::path& file) {
  for (ordered_json& row : whole_rows(file))
    if (member(row, "evaluation") == evaluation) {
      row.erase("checksum");  // of the file, not of the result
      return std::move(row);
    }
  return std::nullopt;
}

std::vector<ordered_json> whole_rows(const std::filesystem::path& file) { return read_rows(file).whole; }

void keep_row(ordered_json& row, const std::filesystem::path& file) {
  Rows found = read_rows(file);
  std::vector<ordered_json>& rows = found.whole;
  if (found.is_damaged) {
    std::filesystem::path aside = file;
    aside.replace_extension(".damaged.json");
    log::warn("{}: kept as {}; what is whole goes on", file, aside.filename());
    write_file(aside, read_file(file));
  }
  const std::string asked = row["name"];
  std::string name = asked;
  const auto same = [&](const ordered_json& old) { return member(old, "evaluation") == row["evaluation"]; };
  const auto taken = [&] {
    return std::ranges::any_of(rows,
                               [&](const ordered_json& old) { return !same(old) && member(old, "name") == name; });
  };
  for (int number = 2; taken(); ++number) name = format("{} ({})", asked, number);
  if (name != asked)
    log::warn(
        "{}: '{}' is the name of another evaluation there (other weights, sampling, seed, images or features); "
        "both are kept, this one as '{}'",
        file.string(), asked, name);
  row["name"] = name;
  if (const auto old = std::ranges::find_if(rows, same); old != rows.end())
    *old = row;
  else
    rows.push_back(row);
  for (ordered_json& each : rows) each = sealed(std::move(each));
  write_file(file, json_text(ordered_json(rows), 2) + "\n");
}

}  // namespace edmund
