// What users run: prints --help, --version, list and completion without loading LibTorch, which
// takes a third of a second, and execs edmund-core, the program beside it, for everything else.
// What it prints is edmund-core's own output, recorded when that was built.

#include "answers.h"
#include "edmund/core/standard_streams.h"

#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <unistd.h>
#include <utility>

namespace {

// The answer to these arguments, or null.
const char* known_answer(int argc, char** argv) {
  const auto is = [&](int i, const char* text) { return std::strcmp(argv[i], text) == 0; };
  if (argc == 2 && is(1, "--version")) return edmund::kVersionAnswer;
  if (argc == 2 && (is(1, "--help") || is(1, "-h") || is(1, "help"))) return edmund::kHelpAnswer;
  if (argc == 2 && is(1, "list")) return edmund::kListAnswer;
  if (argc == 3 && is(1, "list") && is(2, "--json")) return edmund::kListJsonAnswer;
  // read at each shell's start
  if (argc == 3 && is(1, "completion") && is(2, "bash")) return edmund::kBashAnswer;
  if (argc == 3 && is(1, "completion") && is(2, "zsh")) return edmund::kZshAnswer;
  if (argc == 3 && is(1, "completion") && is(2, "fish")) return edmund::kFishAnswer;
  return nullptr;
}

bool exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

// What `python3 -c …` prints, without the end of the line.
std::string said_by_python(const char* code) {
  std::string out;
  if (std::FILE* pipe = popen((std::string("python3 -c '") + code + "' 2>/dev/null").c_str(), "r")) {
    char buffer[PATH_MAX];
    if (std::fgets(buffer, sizeof(buffer), pipe)) out = buffer;
    pclose(pipe);
  }
  while (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

// Major and minor version of the LibTorch in this folder by its headers; what edmund was built with
// where it has none.
std::pair<int, int> torch_version(const std::string& torch) {
  std::pair<int, int> version = {EDMUND_TORCH_MAJOR, EDMUND_TORCH_MINOR};
  if (std::FILE* file = std::fopen((torch + "/include/torch/headeronly/version.h").c_str(), "r")) {
    for (char line[256]; std::fgets(line, sizeof(line), file);) {
      std::sscanf(line, "#define TORCH_VERSION_MAJOR %d", &version.first);
      std::sscanf(line, "#define TORCH_VERSION_MINOR %d", &version.second);
    }
    std::fclose(file);
  }
  return version;
}

[[noreturn]] void refuse(const std::string& what) {
  std::fprintf(stderr,
               "error: %s; set EDMUND_LIBTORCH to the folder of LibTorch %d.%d, such as .../site-packages/torch\n",
               what.c_str(), EDMUND_TORCH_MAJOR, EDMUND_TORCH_MINOR);
  std::exit(2);
}

// A bundle (scripts/bundle) has its libraries in lib/ beside it, and LibTorch elsewhere:
// $EDMUND_LIBTORCH, else Python's. LibTorch of a Python wheel finds its CUDA libraries by its own
// RUNPATH.
void find_libraries(const std::string& folder) {
  if (!exists(folder + "/lib/.bundle")) return;
  std::string torch;
  if (const char* given = std::getenv("EDMUND_LIBTORCH")) torch = given;
  if (torch.empty())
    torch = said_by_python("import importlib.util as u; print(u.find_spec(\"torch\").submodule_search_locations[0])");
  if (torch.empty()) refuse("LibTorch is not in this bundle and python3 has no torch");
  if (!exists(torch + "/lib/libtorch_cpu.so")) refuse(torch + ": no LibTorch there (lib/libtorch_cpu.so)");
  const auto [major, minor] = torch_version(torch);
  if (major != EDMUND_TORCH_MAJOR || minor != EDMUND_TORCH_MINOR)
    refuse(torch + ": LibTorch " + std::to_string(major) + "." + std::to_string(minor));
  std::string path = folder + "/lib:" + torch + "/lib";
  if (const char* before = std::getenv("LD_LIBRARY_PATH")) path += std::string(":") + before;
  setenv("LD_LIBRARY_PATH", path.c_str(), 1);
}

// A large network reads hundreds of megabytes of transformed weights at each evaluation; in pages
// of 4 KiB, finding those costs up to a sixth of it. Only the environment makes glibc's heap
// ask for large ones, which Linux by default gives to those who ask.
void ask_for_large_pages() {
  const char* before = std::getenv("GLIBC_TUNABLES");
  std::string tunables = before != nullptr ? before : "";
  if (tunables.find("glibc.malloc.hugetlb") != std::string::npos) return;
  tunables += std::string(tunables.empty() ? "" : ":") + "glibc.malloc.hugetlb=1";
  setenv("GLIBC_TUNABLES", tunables.c_str(), 1);
}

// OpenMP's threads, those of ATen's own operators, wait for each other by turning in a loop, for as
// long as 300,000 turns when every thread has a core. Where other work takes one of the cores, the
// thread that is missing comes back only when its time slice does, and all others turn until then:
// a twelfth of the speed.
// A short wait costs nothing when the machine is quiet and leaves the core to who needs it
// otherwise.
void wait_politely() {
  if (std::getenv("OMP_WAIT_POLICY") == nullptr) setenv("GOMP_SPINCOUNT", "5000", 0);
}

// Until LibTorch is loaded, signals wait for the one who answers them (StopRequest).
void hold_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1}) sigaddset(&signals, signal);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
}

}  // namespace

int main(int argc, char** argv) {
  edmund::open_standard_streams();
  if (const char* answer = known_answer(argc, argv)) {
    std::signal(SIGPIPE, SIG_IGN);  // a reader that is gone is a failed write
    edmund::StandardOutput output;
    std::cout << answer;
    const int reason = output.finish();
    if (reason != 0 && reason != EPIPE)
      std::fprintf(stderr, "error: standard output: cannot write: %s\n", std::strerror(reason));
    return reason == 0 ? 0 : 1;
  }
  char own[PATH_MAX];
  const ssize_t length = readlink("/proc/self/exe", own, sizeof(own));
  if (length > 0 && length < static_cast<ssize_t>(sizeof(own))) {
    std::string core(own, static_cast<std::size_t>(length));
    find_libraries(core.substr(0, core.rfind('/')));
    core += "-core";
    ask_for_large_pages();
    wait_politely();
    hold_signals();
    execv(core.c_str(), argv);
    std::fprintf(stderr, "edmund: cannot start %s: %s\n", core.c_str(), std::strerror(errno));
  } else {
    std::fputs("edmund: cannot tell where it lies (no /proc/self/exe)\n", stderr);
  }
  return 1;
}
