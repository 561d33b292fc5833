// doctor: whether this machine has what edmund needs, what will make it slow, and what stands in
// the way of a folder of runs: space, limits, owners, what processes left that are gone.
//
//   edmund doctor [FOLDER] [--json]

#include "doctor_files.h"
#include "edmund/commands/command.h"
#include "edmund/core/json_text.h"
#include "edmund/data/dataset.h"
#include "edmund/ops/device.h"

#include <algorithm>
#include <ATen/ops/ones.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <atomic>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>
#include <torch/version.h>

namespace edmund {
namespace {

// at::parallel_for compiles to a plain loop where OpenMP is off, without any warning.
std::size_t threads_in_use() {
  std::mutex mutex;
  std::set<std::thread::id> seen;
  at::parallel_for(0, 64, 1, [&](std::int64_t, std::int64_t) {
    const std::scoped_lock lock(mutex);
    seen.insert(std::this_thread::get_id());
  });
  return seen.size();
}

Finding data_set(std::string_view type) {
  Options options = Options::read_text(format("type: {}", type), "doctor");
  try {
    const DatasetInfo info = make_dataset(options)->info();
    return {format("data set {}", type),
            format("{} images, {}x{}x{}", info.size, info.channels, info.height, info.width), ""};
  } catch (const Error& error) {
    return {format("data set {}", type), "not found", error.what()};
  }
}

std::vector<Finding> examine(const std::filesystem::path& folder) {
  std::vector<Finding> out;
  out.push_back({"LibTorch", TORCH_VERSION, ""});
  const auto threads = static_cast<std::size_t>(at::get_num_threads());
  const std::size_t used = threads_in_use();
  out.push_back(
      {"threads", format("{} ({} of them seen at work)", threads, used),
       threads > 1 && used < 2 ? "OpenMP is off in this build; configure with scripts/setup's LibTorch" : ""});
  const std::string capability = __builtin_cpu_supports("avx512f") ? "AVX-512"
                                 : __builtin_cpu_supports("avx2")  ? "AVX2"
                                                                   : "neither AVX2 nor AVX-512";
  out.push_back({"vector instructions", capability,
                 __builtin_cpu_supports("avx2") ? "" : "the CPU is an old one: expect slow runs"});
  const ops::GpuReport gpu = ops::gpu_report();
  out.push_back({"GPU", gpu.state, gpu.advice});
  out.push_back({"arithmetic",
                 at::ones({64, 64}).mm(at::ones({64, 64})).sum().item<double>() == 64.0 * 64 * 64 ? "right" : "WRONG",
                 ""});
  out.push_back(data_set("digits"));
  out.push_back(data_set("fashion-mnist"));
  std::ranges::copy(examine_files(folder), std::back_inserter(out));
  return out;
}

}  // namespace

Action make_doctor(CLI::App& arguments) {
  const auto json = std::make_shared<bool>(false);
  const auto folder = std::make_shared<std::string>("runs");
  arguments.add_option("folder", *folder, "a folder of runs, or a run (default: runs)");
  arguments.add_flag("--json", *json, "as JSON");
  return [=] {
    nlohmann::ordered_json out = nlohmann::ordered_json::array();
    for (const auto& finding : examine(*folder)) {
      out.push_back({{"what", finding.what}, {"state", finding.state}, {"advice", finding.advice}});
      if (!*json)
        std::cout << (finding.advice.empty() ? "  ok    " : "  look  ") << finding.what << ": " << finding.state
                  << (finding.advice.empty() ? "" : "\n          " + finding.advice) << '\n';
    }
    if (*json) std::cout << json_text(out, 2) << '\n';
    return ExitCode::kDone;
  };
}

}  // namespace edmund
