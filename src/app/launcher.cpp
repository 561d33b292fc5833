// What users run. It answers at once what needs no LibTorch, whose loading alone takes a third of a second, and becomes edmund-core, which lies beside
// it, for everything else. The answers are edmund-core's own, taken down when it was built.

#include "answers.h"

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>
#include <string>
#include <unistd.h>

namespace {

// The answer to these arguments, or null.
const char* known_answer(int argc, char** argv) {
  const auto is = [&](int i, const char* text) { return std::strcmp(argv[i], text) == 0; };
  if (argc == 2 && is(1, "--version")) return edmund::kVersionAnswer;
  if (argc == 2 && (is(1, "--help") || is(1, "-h") || is(1, "help"))) return edmund::kHelpAnswer;
  if (argc == 2 && is(1, "list")) return edmund::kListAnswer;
  if (argc == 3 && is(1, "list") && is(2, "--json")) return edmund::kListJsonAnswer;
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  if (const char* answer = known_answer(argc, argv)) {
    const bool written = std::fputs(answer, stdout) >= 0 && std::fflush(stdout) == 0;
    return written ? 0 : 1;
  }
  char own[PATH_MAX];
  const ssize_t length = readlink("/proc/self/exe", own, sizeof(own));
  if (length > 0 && length < static_cast<ssize_t>(sizeof(own))) {
    std::string core(own, static_cast<std::size_t>(length));
    core += "-core";
    execv(core.c_str(), argv);
    std::fprintf(stderr, "edmund: cannot start %s: %s\n", core.c_str(), std::strerror(errno));
  } else {
    std::fputs("edmund: cannot tell where it lies (no /proc/self/exe)\n", stderr);
  }
  return 1;
}
