#include "edmund/training/metrics_log.h"

#include "edmund/core/files.h"
#include "edmund/core/format.h"
#include "edmund/core/json_text.h"
#include "edmund/core/parsed_json.h"
#include "edmund/training/counters.h"
#include "log_lines.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

namespace edmund {
namespace {

AppendedFile cut_to(const std::filesystem::path& file, std::int64_t images) {
  const bool exists = std::filesystem::exists(file);
  const std::string kept = exists ? lines_until(file, images) : "";
  if (exists && kept.size() != std::filesystem::file_size(file)) write_file(file, kept);
  return {file, kept.size()};
}

std::string bin_key(const char* what, std::size_t bin) { return format("log.{}.{}", what, bin); }

}  // namespace

MetricsLog::MetricsLog(const std::filesystem::path& file, const LossClock& clock, std::int64_t images)
    : file_(cut_to(file, images)), timing_(cut_to(file.parent_path() / "timing.jsonl", images)), bins_(clock) {
  std::istringstream lines(read_file(timing_.path()));
  for (std::string line; std::getline(lines, line);) {
    const auto parsed = parsed_json<nlohmann::json>(line);
    if (const auto& seconds = member(parsed, "seconds"); seconds.is_number()) seconds_before_ = seconds.get<double>();
  }
}

void MetricsLog::add(const StepReport& report) {
  last_ = report;
  if (report.skipped) return;
  loss_ += report.loss;
  gradient_norm_ += report.gradient_norm;
  ++steps_;
  for (std::size_t i = 0; i < report.clock.size(); ++i) bins_.add(report.clock[i], report.losses[i]);
}

void MetricsLog::write(double images_per_second, double seconds, std::int64_t skipped) {
  nlohmann::ordered_json line = {{"images", last_.images},
                                 {"loss", mean_loss()},
                                 {"learning_rate", last_.learning_rate},
                                 {"ema_beta", last_.ema_beta},
                                 {"gradient_norm", mean_gradient_norm()},
                                 {"skipped_steps", skipped}};
  const nlohmann::ordered_json timing = {
      {"images", last_.images}, {"images_per_second", images_per_second}, {"seconds", seconds}};
  if (auto bins = json_of(bins_); !bins.empty()) line["bins"] = std::move(bins);
  timing_.append(json_text(timing) + '\n');
  file_.append(json_text(line) + '\n');
  loss_ = gradient_norm_ = 0.0;
  steps_ = 0;
  bins_.clear();
}

void MetricsLog::flush() { file_.flush(), timing_.flush(); }

void MetricsLog::settle(std::int64_t images, double seconds) {
  timing_.append(json_text(nlohmann::ordered_json{{"images", images}, {"seconds", seconds}}) + '\n');
  file_.sync();
  timing_.sync();
}

// Counters are finite. A sum that is not is left out: the mean of either is null in a line.
void MetricsLog::save(std::map<std::string, double>& counters) const {
  const auto put = [&](const std::string& key, double value) {
    if (std::isfinite(value)) counters[key] = value;
  };
  put("log.loss", loss_);
  put("log.gradient_norm", gradient_norm_);
  put("log.steps", static_cast<double>(steps_));
  for (std::size_t bin = 0; bin < LossBins::kCount; ++bin) {
    if (bins_.count(bin) == 0) continue;
    put(bin_key("bin_loss", bin), bins_.sum(bin));
    put(bin_key("bin_count", bin), bins_.count(bin));
  }
}

void MetricsLog::restore(const std::map<std::string, double>& counters) {
  const auto found = counters.find("log.steps");
  if (found == counters.end()) return;  // a checkpoint of a version that did not keep them
  steps_ = static_cast<std::int64_t>(found->second);
  constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
  loss_ = counter(counters, "log.loss", kUnknown);
  gradient_norm_ = counter(counters, "log.gradient_norm", kUnknown);
  for (std::size_t bin = 0; bin < LossBins::kCount; ++bin)
    if (const auto count = counters.find(bin_key("bin_count", bin)); count != counters.end())
      bins_.set(bin, counter(counters, bin_key("bin_loss", bin), kUnknown), count->second);
}

}  // namespace edmund
