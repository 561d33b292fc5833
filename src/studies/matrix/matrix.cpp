#include "edmund/studies/matrix.h"

#include "edmund/core/consecutive.h"
#include "edmund/core/error.h"
#include "edmund/core/stop.h"
#include "edmund/diffusion/forbidden_noise.h"
#include "edmund/generation/sampling.h"
#include "edmund/io/tensor_file.h"
#include "matrix_configs.h"
#include "matrix_truth.h"

#include <algorithm>
#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <atomic>
#include <c10/core/InferenceMode.h>
#include <chrono>
#include <cmath>
#include <exception>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

namespace edmund {
namespace {

using matrix::preconditioning_of, matrix::Truth;

constexpr Interval kSigmas{0.05, 80.0};  // every schedule of the table spans it
// relative distance below which rounding shows in the slope
constexpr double kRounding = 1e-11;
constexpr std::size_t kFitted = 4;  // finest step counts of a slope

// The cell as a config has it, with so many steps from sigmas.high to sigmas.low. Throws Error with
// the reason if it is refused.
Sampling configured(const MatrixCell& cell, const Preconditioning& preconditioning, Interval sigmas, double steps) {
  const std::string grid =
      format("type: log_snr, steps: {}, sigma_min: {}, sigma_max: {}", steps + 1, sigmas.low, sigmas.high);
  const std::string sampler =
      format("type: {}, final: none{}{}", cell.sampler, cell.with.empty() ? "" : ", ", cell.with);
  Options options = Options::read_text(format("{schedule: {type: {}}, grid: {{}}, sampler: {{}}}",
                                              matrix::schedule_options(cell.schedule), grid, sampler),
                                       "sampling");
  Sampling sampling = make_sampling(options, preconditioning);
  options.finish();
  return sampling;
}

// The truth between each pair of noise levels that was asked for, solved once.
class Truths {
 public:
  const Truth& between(Interval sigmas) {
    const std::scoped_lock lock(mutex_);
    const auto found = solved_.find(sigmas.low);
    if (found != solved_.end()) return found->second;
    // The mixture has its structure where the noise is of its size: in other units it bends the
    // trajectory there.
    const bool usual = sigmas.low == kSigmas.low;
    const GaussianMixture data = usual ? matrix::mixture() : matrix::mixture().scaled(2 * sigmas.low);
    return solved_.emplace(sigmas.low, matrix::solved(data, sigmas)).first->second;
  }

 private:
  std::mutex mutex_;
  std::map<double, Truth> solved_;
};

// Calls work(i) for i = 0 … count-1 on some threads; the first exception comes out at the end.
void on_threads(std::int64_t threads, std::size_t count, const std::function<void(std::size_t)>& work) {
  std::atomic<std::size_t> next = 0;
  std::exception_ptr broken;
  std::mutex mutex;
  const auto loop = [&] {
    at::set_num_threads(1);  // of this thread: cells are many and small
    const c10::InferenceMode inference;
    try {
      for (std::size_t i; (i = next++) < count;) work(i);
    } catch (...) {
      const std::scoped_lock lock(mutex);
      broken = std::current_exception();
      next = count;
    }
  };
  std::vector<std::thread> workers;
  for (std::int64_t i = 0; i < threads; ++i) workers.emplace_back(loop);
  for (auto& worker : workers) worker.join();
  if (broken) std::rethrow_exception(broken);
}

// A sampler's run over a grid: z at its end, and what it cost.
struct Run {
  Tensor z;
  double evaluations;
  bool clock_used;
};
Run run(const Sampling& sampling, const DenoisingModel& model, const Tensor& start, NoiseSource& noise) {
  const auto evaluations = std::make_shared<std::int64_t>(0);
  const auto clock_used = std::make_shared<bool>(false);
  const auto schedule = matrix::watched(sampling.schedule, sampling.grid, clock_used);
  const double s = schedule->scale(sampling.grid.t.front()), s_end = schedule->scale(sampling.grid.t.back());
  const Tensor x =
      sampling.sampler(counted(conditioned(model, {}), evaluations), *schedule, sampling.grid, s * start, noise);
  return {x / s_end, static_cast<double>(*evaluations), *clock_used};
}

DenoisingModel exact_model(const Truth& truth, const Preconditioning& preconditioning) {
  return {matrix::exact_network(truth.mixture, preconditioning), preconditioning, LossWeight()};
}

void measure_order(MatrixCell& cell, Truths& truths, const Preconditioning& preconditioning) {
  const Truth* truth = &truths.between(kSigmas);
  std::vector<double> all{16, 32, 64, 128, 256};
  ForbiddenNoise none("draws noise, but its table states an order, as of a deterministic sampler");
  const Sampling first = configured(cell, preconditioning, kSigmas, all.front());
  const std::vector<double> levels = first.schedule->levels();
  if (!levels.empty() && cell.order > 0 &&
      run(first, exact_model(*truth, preconditioning), truth->start, none).clock_used) {
    cell.one_interval = true;
    truth = &truths.between({levels[0], levels[1]});
    all = {4, 8, 16, 32, 64};
  } else if (cell.order == 1) {
    all.push_back(512);  // its error falls slowly to the slope
  } else if (cell.order >= 4) {
    // so do those of high order, whose error is above rounding long after
    all = {64, 128, 256, 512, 1024};
  }
  const DenoisingModel model = exact_model(*truth, preconditioning);
  for (const double steps : all) {
    const Sampling sampling = configured(cell, preconditioning, truth->sigmas, steps);
    const auto [z, evaluations, unused] = run(sampling, model, truth->start, none);
    cell.steps.push_back(steps);
    cell.distances.push_back(std::sqrt((z - truth->end).square().mean().item<double>()) / truth->size);
    cell.evaluations.push_back(evaluations);
  }
  std::vector<double> x, y;  // the finest first
  for (std::size_t i = all.size(); i-- > 0 && x.size() < kFitted;)
    if (cell.distances[i] > kRounding) {
      x.push_back(all[i]);
      y.push_back(cell.distances[i]);
    }
  if (x.size() < 3) return;
  const auto [slope, standard_error] = matrix::fitted(x, y);
  cell.slope = -slope;
  cell.standard_error = standard_error;
}

void measure_moments(MatrixCell& cell, Truths& truths, const Preconditioning& preconditioning, bool few) {
  const Truth& truth = truths.between(kSigmas);
  // so many that the bias of the step is small beside the standard errors of so many images
  const double steps = 256;
  const Sampling sampling = configured(cell, preconditioning, kSigmas, steps);
  PhiloxNoise noise(1, consecutive(0, few ? 512 : 2048), at::kDouble, at::kCPU);
  const Tensor x0 = truth.mixture.drawn(noise.normal({1, 2, 2}));
  const Tensor start = x0 + kSigmas.high * noise.normal({1, 2, 2});
  const auto [z, evaluations, unused] = run(sampling, exact_model(truth, preconditioning), start, noise);
  cell.steps = {steps};
  cell.evaluations = {evaluations};
  cell.deviation = matrix::moment_deviation(z, truth.mixture, kSigmas.low);
}

void measure(MatrixCell& cell, Truths& truths, bool quick) {
  const Preconditioning preconditioning = preconditioning_of(cell.preconditioning);
  try {
    if (cell.order == SamplerEntry::kStochastic)
      // Parameterizations of one mixture differ by rounding only: the first one is measured on many
      // images.
      measure_moments(cell, truths, preconditioning,
                      quick || cell.preconditioning != preconditioning_table().front().name);
    else
      measure_order(cell, truths, preconditioning);
  } catch (const Error& error) {
    cell.failure = error.what();
  }
}

// What was measured of a cell, and back.
std::string bytes_of(const MatrixCell& cell) {
  const auto doubles = [](const std::vector<double>& values) { return at::tensor(values, at::kDouble); };
  return tensor_bytes({{"steps", doubles(cell.steps)},
                       {"distances", doubles(cell.distances)},
                       {"evaluations", doubles(cell.evaluations)},
                       {"figures", doubles({cell.slope, cell.standard_error, cell.deviation})}},
                      {{"failure", cell.failure}, {"one_interval", cell.one_interval ? "yes" : "no"}});
}

void read_cell(MatrixCell& cell, const std::string& bytes) {
  const TensorFile found = parse_tensors(bytes, "matrix");
  const auto doubles = [&](const char* name) {
    const Tensor& values = found.at(name);
    const auto* data = values.const_data_ptr<double>();
    return std::vector<double>(data, data + values.numel());
  };
  cell.steps = doubles("steps"), cell.distances = doubles("distances"), cell.evaluations = doubles("evaluations");
  const std::vector<double> figures = doubles("figures");
  cell.slope = figures[0], cell.standard_error = figures[1], cell.deviation = figures[2];
  cell.failure = found.metadata.at("failure");
  cell.one_interval = found.metadata.at("one_interval") == "yes";
}

void measure_or_take(MatrixCell& cell, Truths& truths, const MatrixSettings& settings) {
  StopRequest::check();
  if (settings.kept == nullptr) return measure(cell, truths, settings.quick);
  const std::string name =
      format("{} {} {} {} {}", cell.schedule, cell.sampler, cell.preconditioning, cell.order, cell.with);
  read_cell(cell, settings.kept->piece(name, [&] {
    measure(cell, truths, settings.quick);
    return bytes_of(cell);
  }));
}

// A cell of each sampler and schedule of the tables under one preconditioning.
void add_cells(Matrix& matrix, std::string_view preconditioning) {
  for (const auto& sampler : sampler_table())
    for (const auto& schedule : schedule_table())
      matrix.cells.push_back({.schedule = std::string(schedule.name),
                              .sampler = std::string(sampler.name),
                              .preconditioning = std::string(preconditioning),
                              .order = sampler.order,
                              .with = std::string(sampler.with)});
}

// Nothing is run on a schedule that breaks its contract.
void fail_cells_of(Matrix& matrix, const MatrixSchedule& schedule) {
  if (schedule.violations.empty()) return;
  for (auto& cell : matrix.cells)
    if (cell.schedule == schedule.schedule) cell.failure = "the schedule breaks its contract";
}

}  // namespace

Matrix convergence_matrix(const MatrixSettings& settings) {
  const auto began = std::chrono::steady_clock::now();
  Matrix out{.sigmas = kSigmas, .schedules = matrix::measured_schedules()};
  for (const auto& row : preconditioning_table().first(settings.quick ? 1 : preconditioning_table().size()))
    add_cells(out, row.name);
  for (const auto& schedule : out.schedules) fail_cells_of(out, schedule);
  Truths truths;
  out.uncertainty = truths.between(kSigmas).uncertainty;
  std::mutex mutex;
  std::int64_t done = 0;
  on_threads(settings.threads, out.cells.size(), [&](std::size_t i) {
    if (out.cells[i].failure.empty()) measure_or_take(out.cells[i], truths, settings);
    const std::scoped_lock lock(mutex);
    if (settings.progress) settings.progress(++done, std::ssize(out.cells));
  });
  out.configs = matrix::tried_configs();
  out.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  return out;
}

}  // namespace edmund
