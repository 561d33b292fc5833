// bench: how fast a config's network and everything around it run here.
//
//   edmund bench CONFIG [key=value…] [--phase PHASE,…] [--kernels fast,reference,exact] [--batch N]
//       [--rounds N] [--min-time S] [--threads N] [--json] [--profile] [--device D] [--precision P]
//       [--graphs on|off] [--beside-load]
//
//   forward    the denoiser, without gradients
//   train      a training step: loss, gradient, clean-up, Adam, EMA
//   sample     the config's sampler, and its share outside the network
//   optimizer  clean-up, Adam and EMA on flat memory
//   loops      the same as torch::optim has it, tensor by tensor
//   loader     a batch of the config's data
//   features   the config's features of a batch
//   inception  Inception-v3 with random weights on 32x32 images
//   frechet    distance of 2048-d features
//   accuracy   the denoiser's largest difference to float64
//   memory     a training step and the peak memory of the process; alone
//
// All cases are built first and then timed in interleaved rounds, so that ratios between lines of
// one call hold on a busy machine; with --beside-load each is timed in turns alone and beside one
// busy process a core. Each JSON line has case, threads, batch, ms (median of a call),
// ms_min, ms_img, img_s. Images are noise: no data is read but by the phases loader and features.
// FLOP are those of the direct algorithms, so that Winograd's convolutions may exceed the peak;
// bytes are those of the operators' operands and results.

#include "edmund/commands/command.h"
#include "edmund/core/json_text.h"
#include "edmund/core/stop.h"
#include "edmund/core/stopwatch.h"
#include "edmund/core/text.h"
#include "edmund/networks/network.h"
#include "edmund/ops/device.h"
#include "edmund/ops/profile.h"
#include "edmund/studies/bench_cases.h"
#include "edmund/studies/busy_processes.h"

#include <algorithm>
#include <ATen/Parallel.h>
#include <chrono>
#include <cmath>
#include <iomanip>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

namespace edmund {
namespace {

using nlohmann::ordered_json;

struct BenchFlags {
  Target target;
  std::vector<std::string> phases = {"forward"}, kernels = {"fast"};
  std::int64_t batch = 8, rounds = 7, threads = 0;
  double min_time = 0.25;
  bool json = false, profile = false, beside_load = false;
  std::string device, precision, graphs;  // in place of the config's, unless empty
};

// By its name, or by that of peers' benchmarks.
const BenchPhase& phase_named(const std::string& name) {
  std::vector<std::string_view> known;
  for (const BenchPhase& phase : phase_table()) {
    if (name == phase.name || name == phase.short_name) return phase;
    known.push_back(phase.name);
  }
  fail("--phase: expected one of {}, found '{}'", join(known, ", "), name);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0.0 : values[values.size() / 2];
}

double timed(const std::function<void()>& run, std::int64_t calls) {
  const Stopwatch watch;
  for (std::int64_t i = 0; i < calls; ++i) run();
  ops::synchronize(ops::device());
  return watch.seconds() / static_cast<double>(calls);
}

double rounded(double x, int digits) { return std::round(x * std::pow(10.0, digits)) / std::pow(10.0, digits); }

// The share of the quiet speed that is left beside one busy process a core: of each round, the
// median.
double kept_share(const BenchCase& bench) {
  std::vector<double> shares;
  for (std::size_t i = 0; i < bench.seconds.size(); ++i) shares.push_back(bench.seconds[i] / bench.beside_load[i]);
  return median(shares);
}

// FLOP and bytes that one call asks for.
MachineRates work_of(const BenchCase& bench) {
  ops::start_profile();
  bench.run();
  MachineRates sum;
  for (const auto& time : ops::stop_profile()) {
    sum.flops += time.flops;
    sum.bytes += time.bytes;
  }
  return sum;
}

ordered_json line_of(const BenchCase& bench, const MachineRates& work, int threads) {
  const double m = median(bench.seconds), batch = static_cast<double>(bench.batch);
  ordered_json out = {{"case", bench.name},
                      {"threads", threads},
                      {"batch", bench.batch},
                      {"device", ops::device().str()},
                      {"ms", rounded(m * 1e3, 3)},
                      {"ms_min", rounded(*std::min_element(bench.seconds.begin(), bench.seconds.end()) * 1e3, 3)},
                      {"ms_img", rounded(m * 1e3 / batch, 3)},
                      {"img_s", rounded(batch / m, 2)}};
  if (!bench.beside_load.empty()) {
    out["beside_load_img_s"] = rounded(batch / median(bench.beside_load), 2);
    out["beside_load_ratio"] = rounded(kept_share(bench), 3);
  }
  if (work.flops > 0.0) {
    out["gflop_img"] = rounded(work.flops / batch * 1e-9, 3);
    out["gflop_s"] = rounded(work.flops / m * 1e-9, 1);
  }
  if (work.bytes > 0.0) out["gb_s"] = rounded(work.bytes / m * 1e-9, 1);
  if (bench.evaluations > 0) {
    out["evaluations"] = bench.evaluations;
    out["nfe_s"] = rounded(static_cast<double>(bench.evaluations) * batch / m, 1);
    out["outside_network_percent"] = rounded(100 * median(bench.outside), 3);
  }
  if (bench.figures)
    for (const auto& [name, value] : bench.figures()) out[name] = value;
  return out;
}

// Ratios within each round: noise that lasts longer than a round drops out.
double ratio(const BenchCase& base, const BenchCase& other) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < base.seconds.size(); ++i) ratios.push_back(base.seconds[i] / other.seconds[i]);
  return median(ratios);
}

std::string column(const std::string& text, int width) {
  std::ostringstream out;
  out << std::left << std::setw(width) << text;
  return out.str();
}

std::string number(double value, int digits, int width) {
  std::ostringstream out;
  out << std::right << std::setw(width) << std::fixed << std::setprecision(digits) << value;
  return out.str();
}

void print_profile(const BenchCase& bench) {
  constexpr int kCalls = 5;
  ops::start_profile();
  const double total = timed(bench.run, kCalls);
  const auto times = ops::stop_profile();
  std::cout << bench.name << ": " << number(total * 1e3, 2, 0) << " ms a call\n"
            << "  " << column("operator", 48) << "   calls      ms    %   GFLOP/s    GB/s\n";
  double rest = total;
  for (const auto& time : times) {
    const double each = time.seconds / kCalls;
    rest -= each;
    std::cout << "  " << column(time.name, 48) << number(static_cast<double>(time.calls) / kCalls, 0, 8)
              << number(each * 1e3, 3, 8) << number(100 * each / total, 1, 5)
              << number(time.flops / time.seconds * 1e-9, 1, 10) << number(time.bytes / time.seconds * 1e-9, 1, 8)
              << '\n';
  }
  std::cout << "  " << column("all else (autograd, views, losses, allocation)", 48) << number(0, 0, 8)
            << number(rest * 1e3, 3, 8) << number(100 * rest / total, 1, 5) << '\n';
}

void measure(std::vector<BenchCase>& cases, const BenchFlags& flags) {
  std::vector<std::int64_t> calls;
  for (const auto& bench : cases) {
    bench.run();
    const double once = timed(bench.run, 1);
    calls.push_back(std::clamp<std::int64_t>(static_cast<std::int64_t>(std::ceil(flags.min_time / once)), 1, 200));
  }
  for (std::int64_t round = 0; round < flags.rounds; ++round)
    for (std::size_t i = 0; i < cases.size(); ++i) {
      StopRequest::check();
      const double seconds = timed(cases[i].run, calls[i]);
      cases[i].seconds.push_back(seconds);
      if (flags.beside_load) {
        const BusyProcesses load;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));  // until they have their cores
        cases[i].beside_load.push_back(timed(cases[i].run, calls[i]));
      }
      if (!cases[i].inside) continue;
      const double own = timed(cases[i].run, 1);
      cases[i].outside.push_back(1.0 - cases[i].inside() / own);
    }
}

// How far from what the machine can do at most: the roofline.
void print_line(const BenchCase& one, const ordered_json& line, const MachineRates& work, const MachineRates& peak) {
  const double seconds = median(one.seconds);
  std::cout << column(one.name, 36) << number(line["ms"], 2, 10) << " ms" << number(line["img_s"], 1, 10)
            << " images/s";
  if (work.flops > 0.0)
    std::cout << "   " << line["gflop_img"] << " GFLOP/image, " << line["gflop_s"]
              << " GFLOP/s = " << number(100 * work.flops / seconds / peak.flops, 0, 0) << " % of the matrix product";
  if (work.bytes > 0.0)
    std::cout << "   " << line["gb_s"] << " GB/s = " << number(100 * work.bytes / seconds / peak.bytes, 0, 0)
              << " % of the memory's";
  if (one.evaluations > 0)
    std::cout << "   " << one.evaluations << " evaluations, " << line["nfe_s"] << " a second, "
              << line["outside_network_percent"] << " % outside the network";
  if (one.figures)
    for (const auto& [name, value] : one.figures()) std::cout << "   " << name << " " << line[name];
}

std::vector<std::string> overrides_of(const BenchFlags& flags) {
  std::vector<std::string> out = flags.target.overrides;
  const std::pair<const char*, const std::string*> keys[] = {
      {"device", &flags.device}, {"precision", &flags.precision}, {"graphs", &flags.graphs}};
  for (const auto& [key, value] : keys)
    if (!value->empty()) out.push_back(format("{}={}", key, Options::quoted(*value)));
  return out;
}

ExitCode bench(const BenchFlags& flags) {
  if (flags.threads > 0) at::set_num_threads(static_cast<int>(flags.threads));
  std::vector<BenchPhase> phases;
  for (const auto& phase : flags.phases) phases.push_back(phase_named(phase));
  const auto has = [&](std::string_view phase) {
    return std::ranges::find(phases, phase, &BenchPhase::short_name) != phases.end();
  };
  require(!has("memory") || phases.size() * flags.kernels.size() == 1,
          "--phase memory: the peak is that of the whole process; ask for it alone, with one of --kernels");
  RunConfig config = parse(Options::read_file(flags.target.path, overrides_of(flags)));
  apply_backend(config.backend);
  const auto experiment = std::make_shared<Experiment>(
      construct(std::move(config), has("loader") || has("fid") ? Needs::kData : Needs::kModel));
  require(!flags.profile || !ops::device().is_cuda(), "--profile times the operators of the CPU; use nsys for {}",
          ops::device().str());
  experiment->model.network().initialize(experiment->config.seed);
  experiment->model.network().eval();

  std::vector<BenchCase> cases;
  for (const BenchPhase& phase : phases)
    for (const auto& kernels : flags.kernels) cases.push_back(make_bench_case(experiment, phase, kernels, flags.batch));
  std::vector<MachineRates> works;  // first: recorded work is not counted when it is replayed
  std::ranges::transform(cases, std::back_inserter(works), work_of);
  measure(cases, flags);

  const int threads = at::get_num_threads();
  const MachineRates peak = flags.json ? MachineRates{} : measured_rates();
  if (!flags.json)
    std::cout << "this machine, " << threads << " threads: matrix product " << number(peak.flops * 1e-9, 0, 0)
              << " GFLOP/s, memory " << number(peak.bytes * 1e-9, 1, 0) << " GB/s\n";
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const BenchCase &one = cases[i], &base = cases[i - i % flags.kernels.size()];
    const MachineRates& work = works[i];
    const ordered_json line = line_of(one, work, threads);
    if (flags.json) {
      std::cout << json_text(line) << '\n';
      continue;
    }
    print_line(one, line, work, peak);
    if (flags.beside_load)
      std::cout << "\n  beside one busy process a core: " << line["beside_load_img_s"] << " images/s, "
                << number(100 * kept_share(one), 0, 0) << " % of it";
    if (&base != &one) std::cout << "   " << number(ratio(base, one), 2, 0) << " x " << base.name;
    std::cout << '\n';
  }
  if (flags.profile)
    for (const auto& one : cases) print_profile(one);
  return ExitCode::kDone;
}

}  // namespace

Action make_bench(CLI::App& arguments) {
  const auto flags = std::make_shared<BenchFlags>();
  add_target(arguments, flags->target, "CONFIG");
  arguments
      .add_option("--phase", flags->phases,
                  "forward, train, sample, optimizer, loops, loader, features, inception, frechet, accuracy, memory; "
                  "several if asked")
      ->delimiter(',');
  arguments.add_option("--kernels", flags->kernels, "fast, reference, exact: the first is what others are compared to")
      ->delimiter(',');
  add_integer(arguments, "--batch", flags->batch, {1, 1 << 20}, "images a call");
  add_integer(arguments, "--rounds", flags->rounds, {1, 10'000}, "interleaved rounds");
  arguments.add_option("--min-time", flags->min_time, "seconds of each case in a round")
      ->check(CLI::Range(0.0, 3600.0));
  add_integer(arguments, "--threads", flags->threads, {0, 1024}, "0: as many as cores");
  arguments.add_option("--device", flags->device, "auto, cpu, cuda or cuda:N (default: the config's)");
  arguments.add_option("--precision", flags->precision, "fp32, tf32, bf16 or fp16 on a GPU (default: the config's)");
  arguments.add_option("--graphs", flags->graphs, "on or off: recorded work on a GPU (default: the config's)");
  arguments.add_flag("--json", flags->json, "a JSON line for each case");
  arguments.add_flag("--profile", flags->profile, "times of the operators too");
  arguments.add_flag("--beside-load", flags->beside_load, "the same beside one busy process a core, in turns");
  return [=] { return bench(*flags); };
}

}  // namespace edmund
