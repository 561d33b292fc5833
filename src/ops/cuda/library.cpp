#include "library.h"

#include "edmund/core/beside_program.h"
#include "edmund/core/error.h"

#include <cstdlib>
#include <dlfcn.h>
#include <filesystem>
#include <initializer_list>
#include <string_view>
#include <torch/version.h>

namespace edmund::ops {
namespace fs = std::filesystem;

namespace cuda {
namespace {

constexpr const char* kFile = "libedmund_cuda.so";
constexpr std::string_view kOwn = "edmund " EDMUND_VERSION ", LibTorch " TORCH_VERSION;
constexpr const char* kBuild = "build it with scripts/build cuda (needs nvcc and LibTorch with CUDA)";

std::string library_file() {
  if (const char* given = std::getenv("EDMUND_CUDA_LIBRARY")) return given;
  return beside_program(kFile).string();
}

Library opened() {
  const std::string file = library_file();
  if (file.empty())
    return {.why = format("this build has no CUDA ({} does not lie beside it)", kFile), .advice = kBuild};
  void* handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const std::string why = dlerror();
    const bool torch = why.find("libtorch_cuda") != std::string::npos || why.find("libc10_cuda") != std::string::npos;
    return {.why = format("{} cannot be loaded: {}", kFile, why),
            .advice = torch
                          ? "this LibTorch is the CPU's: use scripts/build cuda, or in a bundle set EDMUND_LIBTORCH to "
                            "a LibTorch 2.11 with CUDA"
                          : kBuild};
  }
  auto* entry = reinterpret_cast<Entry*>(dlsym(handle, kEntry));
  if (entry == nullptr) return {.why = format("{} is not edmund's", file), .advice = kBuild};
  const Operators* operators = entry();
  if (operators->build != kOwn)
    return {.why = format("{} belongs to {}, this is {}", file, operators->build, kOwn), .advice = kBuild};
  return {.operators = operators};
}

}  // namespace

const Library& library() {
  static const Library loaded = opened();
  return loaded;
}

bool driver_is_there() {
  std::error_code error;
  // dxg: Windows' Linux
  for (const char* path : {"/dev/nvidiactl", "/proc/driver/nvidia/version", "/dev/dxg"})
    if (fs::exists(path, error)) return true;
  return false;
}

}  // namespace cuda

const cuda::Operators& cuda_operators() {
  const cuda::Library& found = cuda::library();
  require(found.operators != nullptr, "{}; {}, or set device: cpu", found.why, found.advice);
  return *found.operators;
}

}  // namespace edmund::ops
