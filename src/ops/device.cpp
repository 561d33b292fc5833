#include "edmund/ops/device.h"

#include "cuda/library.h"
#include "edmund/core/error.h"
#include "edmund/core/log.h"
#include "edmund/core/text.h"
#include "fast.h"

#include <ATen/Context.h>
#include <atomic>
#include <optional>

namespace edmund::ops {
namespace {

struct Chosen {
  std::atomic<int> gpu = -1;  // -1: the CPU
  std::atomic<Precision> precision = Precision::kFp32;
  std::atomic<Graphs> graphs = Graphs::kOn;
  std::atomic<Recorder*> cpu_recorder = nullptr;
};

Chosen& chosen() {
  static Chosen choices;
  return choices;
}

at::Device gpu(int index) { return {at::kCUDA, static_cast<c10::DeviceIndex>(index)}; }

// `auto`: says why a GPU that is there goes unused.
at::Device best_device() {
  if (!cuda::driver_is_there()) return at::kCPU;
  const cuda::Library& found = cuda::library();
  std::string why = found.why;
  if (found.operators != nullptr && found.operators->count(why) > 0) return gpu(0);
  log::warn("device: auto takes the CPU, though there seems to be a GPU: {}", why);
  return at::kCPU;
}

// N of cuda:N, 0 of cuda.
std::optional<std::int64_t> index_of(const std::string& text) {
  if (text == "cuda") return 0;
  if (!text.starts_with("cuda:")) return std::nullopt;
  const auto index = parse_integer(text.substr(5));
  return index && *index >= 0 && *index < 128 ? index : std::nullopt;
}

}  // namespace

at::Device find_device(const std::string& text) {
  if (text == "auto") return best_device();
  if (text == "cpu") return at::kCPU;
  const auto index = index_of(text);
  require(index.has_value(), "expected auto, cpu, cuda or cuda:N, found '{}'", text);
  std::string why;
  const int count = cuda_operators().count(why);
  require(count > 0, "no GPU can be used ({}); set device: cpu", why);
  require(*index < count, "there is no cuda:{}, this machine has {} GPU{}; the first is cuda:0", *index, count,
          count == 1 ? "" : "s");
  return gpu(static_cast<int>(*index));
}

void set_device(at::Device device) { chosen().gpu = device.is_cuda() ? device.index() : -1; }

at::Device device() {
  const int index = chosen().gpu;
  return index < 0 ? at::Device(at::kCPU) : gpu(index);
}

void set_precision(Precision precision) {
  chosen().precision = precision;
  if (!device().is_cuda()) return;
  // What ATen computes in float32 itself: the matrix products of the embedding, and everything with `kernels: reference`.
  at::globalContext().setAllowTF32CuBLAS(precision != Precision::kFp32);
  at::globalContext().setAllowTF32CuDNN(precision != Precision::kFp32);
}

ExactFloat32::ExactFloat32() : before_(precision()) { set_precision(Precision::kFp32); }

ExactFloat32::~ExactFloat32() { set_precision(before_); }

Precision precision() { return chosen().precision; }

void set_graphs(Graphs graphs) { chosen().graphs = graphs; }

Graphs graphs() { return chosen().graphs; }

void set_cpu_recorder(Recorder* recorder) { chosen().cpu_recorder = recorder; }

bool records(at::Device device) {
  const bool can = device.is_cuda() || chosen().cpu_recorder != nullptr;
  return can && graphs() == Graphs::kOn && kernels() == Kernels::kFast;
}

GpuReport gpu_report() {
  if (!cuda::driver_is_there()) return {"none (no driver of NVIDIA's)", ""};
  const cuda::Library& found = cuda::library();
  if (found.operators == nullptr) return {found.why, found.advice};
  std::string why;
  const int count = found.operators->count(why);
  if (count == 0) return {"none that can be used", why};
  std::string out;
  for (int i = 0; i < count; ++i) out += (i > 0 ? "; " : "") + format("cuda:{} {}", i, found.operators->name(i));
  return {out, ""};
}

void synchronize(at::Device device) {
  if (device.is_cuda()) cuda_operators().synchronize(device);
}

std::unique_ptr<Graph> make_graph(at::Device device, int warm_up) {
  if (device.is_cuda()) return cuda_operators().make_graph(device, warm_up);
  Recorder* const recorder = chosen().cpu_recorder;
  require(recorder != nullptr, "graphs: work on the CPU cannot be recorded");
  return recorder(warm_up);
}

const cuda::Operators* fast_cuda(const Tensor& x) {
  if (kernels() != Kernels::kFast || !x.is_cuda() || x.numel() == 0) return nullptr;
  const auto dtype = x.scalar_type();
  return dtype == at::kFloat || dtype == at::kBFloat16 || dtype == at::kHalf ? &cuda_operators() : nullptr;
}

}  // namespace edmund::ops
