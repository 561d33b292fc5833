#include "edmund/core/format.h"
#include "edmund/core/text.h"
#include "edmund/samplers/sampler.h"
#include "edmund/studies/matrix.h"

#include <cmath>

namespace edmund {
namespace {

constexpr double kWithin = 0.15;  // of the order

}  // namespace

std::string complaint(const MatrixSchedule& schedule) {
  return join(std::vector<std::string_view>(schedule.violations.begin(), schedule.violations.end()), "; ");
}

std::string complaint(const MatrixCell& cell) {
  if (!cell.failure.empty()) return cell.failure;
  if (cell.order == 0) return "its line of the sampler table states no order";
  if (cell.order == SamplerEntry::kStochastic)
    return cell.deviation <= 5 ? "" : format("mean or covariance is {} standard errors off", cell.deviation);
  if (cell.order == SamplerEntry::kTolerance)
    return cell.distances.back() <= 1e-3 ? "" : format("ends {} from the solution", cell.distances.back());
  if (std::isnan(cell.slope)) return "fewer than 3 distances above rounding, so no slope";
  if (std::abs(cell.slope - cell.order) <= kWithin) return "";
  return format("slope {} ± {} where order {} is stated", cell.slope, cell.standard_error, cell.order);
}

std::string complaint(const MatrixConfig& config) {
  if (config.expected.empty() == config.refusal.empty()) return "";
  return config.refusal.empty() ? format("accepted, although {}", config.expected)
                                : format("refused: {}", config.refusal);
}

std::vector<std::string> complaints(const Matrix& matrix) {
  std::vector<std::string> out;
  const auto add = [&](const std::string& about, const std::string& what) {
    if (!what.empty()) out.push_back(format("{}: {}", about, what));
  };
  for (const auto& schedule : matrix.schedules) add("schedule " + schedule.schedule, complaint(schedule));
  for (const auto& cell : matrix.cells)
    add(format("{} on {}, {}", cell.sampler, cell.schedule, cell.preconditioning), complaint(cell));
  for (const auto& config : matrix.configs) add(config.config, complaint(config));
  return out;
}

std::string summary(const Matrix& matrix) {
  const std::size_t broken = complaints(matrix).size();
  return format("{} cells, {} schedules and {} configs: {} as stated", matrix.cells.size(), matrix.schedules.size(),
                matrix.configs.size(), broken == 0 ? "all" : format("{} not", broken));
}

}  // namespace edmund
