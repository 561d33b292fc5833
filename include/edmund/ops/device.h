#pragma once

#include <c10/core/Device.h>
#include <string>

/// Where networks run and how precisely, for the whole process, as set_kernels() is. What a GPU
/// needs is in a separate library, libedmund_cuda.so, which is loaded when a GPU is asked for; a
/// run on the CPU never loads it.
namespace edmund::ops {

/// The device that `device: auto | cpu | cuda | cuda:N` means on this machine. `auto`: the first
/// GPU if there is one that can be used, else the CPU; `cuda`: the first GPU. Throws Error saying
/// what is missing and how to fix it.
at::Device find_device(const std::string& text);
/// The device of networks from now on; initially the CPU.
void set_device(at::Device device);
at::Device device();

/// What the convolutions, norms and attention of the GPU's fast operators compute in (`precision:
/// fp32 | tf32 | bf16 | fp16`): activations and copies of the weights have that type; the weights
/// themselves, sums and everything outside the network are float32 or wider. A CPU that multiplies
/// bfloat16 takes `bf16` for products, and where it multiplies blocks of it (AMX) for what residual
/// branches hand on too; all else it computes in float32.
enum class Precision { kFp32, kTf32, kBf16, kFp16 };
void set_precision(Precision precision);
Precision precision();

/// While it lives, what ATen computes in float32 on a GPU is not rounded to TF32: for numbers that
/// must be the same everywhere (features).
class ExactFloat32 {
 public:
  ExactFloat32();
  ~ExactFloat32();
  ExactFloat32(const ExactFloat32&) = delete;
  ExactFloat32& operator=(const ExactFloat32&) = delete;

 private:
  Precision before_;
};

/// Whether sampling and training steps are recorded and replayed on a GPU (`graphs: on | off`); see
/// graph.h.
enum class Graphs { kOff, kOn };
void set_graphs(Graphs graphs);
Graphs graphs();
/// Whether work on this device is to be recorded: graphs are on, the fast operators are chosen, and
/// it is a GPU (or the CPU in tests, see set_cpu_recorder()).
bool records(at::Device device);

/// What this machine and build have, for `edmund doctor`: one line, and what to do if a GPU is
/// there but cannot be used.
struct GpuReport {
  std::string state, advice;
};
GpuReport gpu_report();

/// Waits until a device has finished its work, to measure time. Returns at once for the CPU.
void synchronize(at::Device device);

}  // namespace edmund::ops
