#include "edmund/training/metrics_log.h"

#include "edmund/core/error.h"
#include "edmund/core/files.h"
#include "edmund/core/json_text.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

namespace edmund {
namespace {

// Lines of the file up to a position of the run; a line that a killed process left unfinished is
// dropped with those after it.
std::string lines_until(const std::filesystem::path& file, std::int64_t images) {
  std::istringstream lines(read_file(file));
  std::string kept, line;
  while (std::getline(lines, line)) {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (!json.is_object() || !json.contains("images") || json["images"].get<std::int64_t>() > images) break;
    kept += line + '\n';
  }
  return kept;
}

}  // namespace

MetricsLog::MetricsLog(const std::filesystem::path& file, const LossClock& clock, std::int64_t images)
    : name_(file.string()),
      clock_(clock.name),
      low_(std::log(clock.range.low)),
      high_(std::log(clock.range.high)),
      bin_loss_(kBins),
      bin_count_(kBins) {
  if (std::filesystem::exists(file)) write_file(file, lines_until(file, images));
  file_.open(file, std::ios::app);
  require(file_.good(), "{}: cannot be opened for writing", name_);
}

void MetricsLog::add(const StepReport& report) {
  last_ = report;
  if (report.skipped) return;
  loss_ += report.loss;
  gradient_norm_ += report.gradient_norm;
  ++steps_;
  for (std::size_t i = 0; i < report.clock.size(); ++i) {
    const double place = (std::log(report.clock[i]) - low_) / (high_ - low_) * kBins;
    const auto bin = static_cast<std::size_t>(std::clamp(place, 0.0, kBins - 1.0));
    bin_loss_[bin] += report.losses[i];
    bin_count_[bin] += 1;
  }
}

void MetricsLog::write(double images_per_second, double seconds, std::int64_t skipped) {
  nlohmann::ordered_json line = {
      {"images", last_.images},
      {"loss", mean_loss()},
      {"learning_rate", last_.learning_rate},
      {"ema_beta", last_.ema_beta},
      {"gradient_norm", gradient_norm_ / static_cast<double>(std::max<std::int64_t>(steps_, 1))},
      {"images_per_second", images_per_second},
      {"seconds", seconds},
      {"skipped_steps", skipped}};
  for (std::size_t bin = 0; bin < kBins; ++bin) {
    if (bin_count_[bin] == 0) continue;
    const double center = std::exp(low_ + (static_cast<double>(bin) + 0.5) * (high_ - low_) / kBins);
    line["bins"].push_back({{clock_, center}, {"loss", bin_loss_[bin] / bin_count_[bin]}, {"count", bin_count_[bin]}});
  }
  file_ << json_text(line) << '\n' << std::flush;
  require(file_.good(), "{}: cannot be written; is the disk full?", name_);
  loss_ = gradient_norm_ = 0.0;
  steps_ = 0;
  std::fill(bin_loss_.begin(), bin_loss_.end(), 0.0);
  std::fill(bin_count_.begin(), bin_count_.end(), 0.0);
}

}  // namespace edmund
