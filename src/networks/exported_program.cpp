#include "exported_program.h"

#include "edmund/core/beside_program.h"
#include "edmund/core/error.h"
#include "edmund/core/text.h"

#include <algorithm>
#include <ATen/cpu/Utils.h>
#include <caffe2/serialize/inline_container.h>
#include <cstdlib>
#include <dlfcn.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>
#include <torch/script.h>
#include <torch/version.h>
#include <unistd.h>
#include <unordered_map>
#include <utility>

namespace edmund {

struct ExportedProgram::Loaded {
  Kind kind = Kind::kTorchScript;
  torch::jit::Module module;
  std::unique_ptr<torch::inductor::AOTIModelPackageLoader> package;
  at::Device device = at::kCPU;  // of a package
  bool tried = false;            // it has answered before
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
  // first, as modules of any name have their place in it
  if (any_ends_with(names, "constants.pkl") && has_part("code/")) return ExportedProgram::Kind::kTorchScript;
  require(!has_part("models/"), "{}: a program of torch.export that is not compiled; {}", file, kWanted);
  fail("{}: an archive without a program{}; {}", file,
       any_ends_with(names, "data.pkl") ? " (weights of torch.save?)" : "", kWanted);
}

std::string fact(const Facts& facts, const char* key) {
  const auto found = facts.find(key);
  return found == facts.end() ? "" : found->second;
}

// What is written to standard error while this lives, in place of its appearance there.
class CaughtMessages {
 public:
  CaughtMessages() : file_(memfd_create("messages", MFD_CLOEXEC)), before_(dup(STDERR_FILENO)) {
    if (file_ >= 0 && before_ >= 0) dup2(file_, STDERR_FILENO);
  }
  ~CaughtMessages() {
    restore();
    if (file_ >= 0) close(file_);
  }
  CaughtMessages(const CaughtMessages&) = delete;
  CaughtMessages& operator=(const CaughtMessages&) = delete;

  // Its first line; ends the catch.
  std::string first_line() {
    restore();
    std::string text(512, '\0');
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(pread(file_, text.data(), text.size(), 0), 0)));
    return as_utf8(text.substr(0, text.find('\n')));
  }

 private:
  void restore() {
    if (before_ < 0) return;
    dup2(before_, STDERR_FILENO);
    close(std::exchange(before_, -1));
  }

  int file_, before_;
};

// Of a package that has not answered yet: its own message is the one that tells.
std::vector<Tensor> first_answer(torch::inductor::AOTIModelPackageLoader& package, const std::vector<Tensor>& inputs,
                                 const std::string& file) {
  CaughtMessages messages;
  try {
    return package.run(inputs);
  } catch (const std::exception& error) {
    const std::string line = messages.first_line();
    fail("{}: the program fails: {}", file, line.empty() ? telling_line(error) : line);
  }
}

// A package's machine code asks for libtorch.so by name. Ours holds what it needs under other
// names.
void provide_torch_name() {
  constexpr const char* kName = "libtorch.so";
  if (dlopen(kName, RTLD_NOW | RTLD_NOLOAD) != nullptr) return;
  const std::filesystem::path file = beside_program("libedmund_torch_name.so");
  require(!file.empty() && dlopen(file.c_str(), RTLD_NOW) != nullptr,
          "libedmund_torch_name.so, which packages of AOTInductor need, does not lie beside the program");
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
    provide_torch_name();
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
      const std::vector<Tensor> out =
          loaded_->tried ? loaded_->package->run(inputs) : first_answer(*loaded_->package, inputs, file_);
      loaded_->tried = true;
      require(out.size() == 1, "{}: answers {} tensors, expected one", file_, out.size());
      return out.front();
    }
    const c10::IValue out = loaded_->module.forward({inputs.begin(), inputs.end()});
    require(out.isTensor(), "{}: answers {}, expected a tensor", file_, out.tagKind());
    return out.toTensor();
  });
}

}  // namespace edmund
