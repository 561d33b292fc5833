#include "matrix_configs.h"

#include "edmund/app/config.h"
#include "edmund/core/error.h"
#include "edmund/schedules/violations.h"

#include <ATen/ops/full.h>
#include <cmath>
#include <utility>

namespace edmund {
namespace matrix {
namespace {

// Options of the rows of the schedule table, without braces.
std::vector<std::string> schedules() {
  std::vector<std::string> out;
  for (const auto& entry : schedule_table()) {
    out.emplace_back(entry.name);
    for (const auto variant : entry.variants) out.push_back(format("{}, {}", entry.name, variant));
  }
  return out;
}

std::unique_ptr<NoiseSchedule> schedule_of(std::string_view name) {
  Options options = Options::read_text(format("{type: {}}", schedule_options(name)), "schedule");
  auto schedule = make_schedule(options);
  options.finish();
  return schedule;
}

// Where a config must be refused: there is no σ = 0 to step to, or the network's error, times
// c_out, is the whole image.
std::string reason_to_refuse(const NoiseSchedule& schedule, const Preconditioning& preconditioning, bool to_clean) {
  if (to_clean && !schedule.clean_time()) return "the schedule has no clean time";
  const double first = schedule.sampling_sigmas().high;
  const double out = std::abs(preconditioning.edm(at::full({1}, first, at::kDouble)).out.item<double>());
  return out < 1e5 ? "" : format("c_out is {} at the first noise level", out);
}

MatrixConfig tried(std::string_view schedule, std::string_view sampler, std::string_view preconditioning,
                   std::string_view last) {
  const Preconditioning row = preconditioning_of(preconditioning);
  MatrixConfig out{.config = format("schedule {}; sampler {}; final {}; preconditioning {}", schedule, sampler, last,
                                    preconditioning),
                   .expected = reason_to_refuse(*schedule_of(schedule), row, last == "euler")};
  try {
    Options options = Options::read_text(
        format("{schedule: {type: {}}, grid: {type: uniform, steps: 10}, sampler: {type: {}, final: {}}}",
               schedule_options(schedule), sampler, last),
        "sampling");
    make_sampling(options, row);
    options.finish();
  } catch (const Error& error) {
    out.refusal = error.what();
  }
  return out;
}

}  // namespace

std::string schedule_options(std::string_view name) {
  for (const auto& row : schedule_table())
    if (row.name == name) return example_of(row);
  return std::string(name);
}

Preconditioning preconditioning_of(std::string_view name) {
  Options options = Options::read_text(format("{type: {}, noise_input: log}", name), "preconditioning");
  Preconditioning out = make_preconditioning(options);
  options.finish();
  return out;
}

std::vector<MatrixSchedule> measured_schedules() {
  std::vector<MatrixSchedule> out;
  for (const auto& name : schedules()) out.push_back(measured(name, *schedule_of(name)));
  return out;
}

std::vector<MatrixConfig> tried_configs() {
  std::vector<MatrixConfig> out;
  for (const auto& schedule : schedules()) {
    for (const auto& row : preconditioning_table()) out.push_back(tried(schedule, "heun", row.name, "denoise"));
    for (const auto& row : sampler_table()) out.push_back(tried(schedule, row.name, "edm", "euler"));
  }
  return out;
}

}  // namespace matrix

MatrixSchedule measured(std::string name, const NoiseSchedule& schedule) {
  return {.schedule = std::move(name), .sigmas = schedule.sigmas(), .violations = violations(schedule)};
}

}  // namespace edmund
