#include "exported_program.h"

#include "edmund/core/error.h"
#include "edmund/core/text.h"

#include <algorithm>
#include <ATen/cpu/Utils.h>
#include <caffe2/serialize/inline_container.h>
#include <cstdlib>
#include <sys/utsname.h>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>
#include <torch/script.h>
#include <torch/version.h>
#include <unordered_map>
#include <utility>

namespace edmund {

struct ExportedProgram::Loaded {
  Kind kind = Kind::kTorchScript;
  torch::jit::Module module;
  std::unique_ptr<torch::inductor::AOTIModelPackageLoader> package;
  at::Device device = at::kCPU;  // of a package
};

namespace {

using Archive = caffe2::serialize::PyTorchStreamReader;
using Facts = std::unordered_map<std::string, std::string>;

// What LibTorch throws runs over many lines, with traces of C++ and TorchScript: the line that
// tells.
std::string telling_line(const std::exception& error) {
  const auto* own = dynamic_cast<const c10::Error*>(&error);
  const std::string text = own ? own->what_without_backtrace() : error.what();
  const bool traced = text.find("Traceback") != std::string::npos;  // what went wrong stands last
  std::string line;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string part = text.substr(at, end - at);
    if (part.find_first_not_of(" \t\r<~^") != std::string::npos && (line.empty() || traced)) line = part;
    at = end + 1;
  }
  std::ranges::replace_if(
      line, [](unsigned char c) { return c < ' '; }, ' ');
  constexpr std::size_t kMost = 240;
  return as_utf8(line.size() > kMost ? line.substr(0, kMost) + " …" : line);
}

// Whatever LibTorch throws, as an Error of one line.
template <typename Act>
auto told(const std::string& what, const Act& act) -> decltype(act()) {
  try {
    return act();
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    fail("{}: {}", what, telling_line(error));
  }
}

bool any_ends_with(const std::vector<std::string>& names, std::string_view ending) {
  return std::ranges::any_of(names, [&](const std::string& name) { return name.ends_with(ending); });
}

ExportedProgram::Kind kind_of(const std::string& file) {
  constexpr const char* kWanted =
      "expected TorchScript (torch.jit.save) or an AOTInductor package (scripts/export_denoiser writes both)";
  const std::vector<std::string> names = told(format("{}: {}; damaged?", file, kWanted), [&] {
    Archive archive(file);
    return archive.getAllRecords();
  });
  const auto has_part = [&](std::string_view part) {
    return std::ranges::any_of(names, [&](const std::string& name) { return name.find(part) != std::string::npos; });
  };
  if (has_part("aotinductor/")) return ExportedProgram::Kind::kPackage;
  require(!has_part("models/"), "{}: a program of torch.export that is not compiled; {}", file, kWanted);
  require(any_ends_with(names, "constants.pkl") && has_part("code/"), "{}: an archive without a program{}; {}", file,
          any_ends_with(names, "data.pkl") ? " (weights of torch.save?)" : "", kWanted);
  return ExportedProgram::Kind::kTorchScript;
}

std::string fact(const Facts& facts, const char* key) {
  const auto found = facts.find(key);
  return found == facts.end() ? "" : found->second;
}

// A package is machine code: what it was compiled for is told before it is loaded.
void require_this_machine(const Facts& facts, const std::string& file) {
  utsname machine{};
  ::uname(&machine);
  const std::string processor = fact(facts, "AOTI_MACHINE"), isa = fact(facts, "AOTI_CPU_ISA");
  constexpr const char* kMend = "export it anew on this machine, or as TorchScript";
  require(processor.empty() || processor == machine.machine, "{}: compiled for {} processors, this one is {}; {}", file,
          processor, machine.machine, kMend);
  const auto own = at::cpu::get_cpu_capabilities();
  constexpr std::pair<const char*, const char*> kSets[] = {
      {"AVX512", "avx512_f"}, {"AVX2", "avx2"}, {"AMX", "amx_tile"}};
  for (const auto& [name, key] : kSets) {
    const auto found = own.find(key);
    const bool has = found != own.end() && found->second.isBool() && found->second.toBool();
    require(has || isa.find(name) == std::string::npos,
            "{}: compiled for a processor with {}, which this one does not have; {}", file, isa, kMend);
  }
}

}  // namespace

ExportedProgram::ExportedProgram(const std::filesystem::path& file)
    : file_(file.string()), loaded_(std::make_unique<Loaded>()) {
  require(std::filesystem::is_regular_file(file), "{}: no such file", file_);
  Loaded& own = *loaded_;
  own.kind = kind_of(file_);
  const std::string newer =
      format("{}: cannot be loaded (damaged, or of a newer PyTorch than {}?)", file_, TORCH_VERSION);
  told(newer, [&] {
    if (own.kind == Kind::kTorchScript) {
      own.module = torch::jit::load(file_, at::kCPU);
      own.module.eval();
      return;
    }
    // without this a package trusts the shapes of its inputs
    ::setenv("AOTI_RUNTIME_CHECK_INPUTS", "1", /*replace=*/1);
    const Facts facts = torch::inductor::AOTIModelPackageLoader::load_metadata_from_package(file_, "model");
    require_this_machine(facts, file_);
    own.device = at::Device(facts.contains("AOTI_DEVICE_KEY") ? facts.at("AOTI_DEVICE_KEY") : std::string("cpu"));
    require(own.device.is_cpu() || at::hasCUDA(), "{}: compiled for {}, which is not there", file_, own.device.str());
    own.package = std::make_unique<torch::inductor::AOTIModelPackageLoader>(file_);
  });
}

ExportedProgram::~ExportedProgram() = default;

ExportedProgram::Kind ExportedProgram::kind() const { return loaded_->kind; }

void ExportedProgram::to(at::Device device) {
  if (loaded_->kind == Kind::kTorchScript) return loaded_->module.to(device);
  require(device.type() == loaded_->device.type(), "{}: compiled for {}, found device {}; choose device={}", file_,
          loaded_->device.str(), device.str(), loaded_->device.str());
}

Tensor ExportedProgram::run(const std::vector<Tensor>& inputs) {
  return told(format("{}: the program fails", file_), [&] {
    if (loaded_->package) {
      const std::vector<Tensor> out = loaded_->package->run(inputs);
      require(out.size() == 1, "{}: answers {} tensors, expected one", file_, out.size());
      return out.front();
    }
    const c10::IValue out = loaded_->module.forward({inputs.begin(), inputs.end()});
    require(out.isTensor(), "{}: answers {}, expected a tensor", file_, out.tagKind());
    return out.toTensor();
  });
}

}  // namespace edmund
