// selftest: whether edmund keeps its promises on this machine, in half a minute: small trainings in
// a folder of their own, interrupted and not.
//
//   edmund selftest [--json]
//
// Exit code 0 if all are kept, else 1.

#include "selftest.h"

#include "edmund/commands/command.h"
#include "edmund/core/file_system.h"
#include "edmund/core/files.h"
#include "edmund/core/json_text.h"
#include "edmund/core/log.h"
#include "edmund/core/stop.h"
#include "edmund/core/stopwatch.h"

#include <cmath>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace edmund {
namespace {

namespace fs = std::filesystem;

/// A folder that is gone with the object.
class Scratch {
 public:
  Scratch() : path_(fs::temp_directory_path() / format("edmund-selftest-{}", ::getpid())) {
    remove_tree(path_);
    make_folder(path_);
  }
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

struct Found {
  std::string promise, broken;
  double seconds = 0.0;
};

Found found_by(const SelfTest& test, const fs::path& folder) {
  const Stopwatch watch;
  Found out{.promise = std::string(test.promise), .broken = {}};
  try {
    out.broken = test.broken(folder);
  } catch (const std::exception& error) {
    out.broken = error.what();
  }
  out.seconds = std::round(watch.seconds() * 100) / 100;
  return out;
}

}  // namespace

Action make_selftest(CLI::App& arguments) {
  const auto json = std::make_shared<bool>(false);
  arguments.add_flag("--json", *json, "as JSON");
  return [=] {
    const Scratch scratch;
    nlohmann::ordered_json out = nlohmann::ordered_json::array();
    bool all = true;
    for (const SelfTest& test : self_tests()) {
      StopRequest::check();
      const Found found = found_by(test, scratch.path());
      all = all && found.broken.empty();
      out.push_back({{"promise", found.promise},
                     {"kept", found.broken.empty()},
                     {"broken", found.broken},
                     {"seconds", found.seconds}});
      if (!*json)
        std::cout << (found.broken.empty() ? "  ok    " : "  FAIL  ") << found.promise << " (" << found.seconds << " s)"
                  << (found.broken.empty() ? "" : "\n          " + found.broken) << std::endl;
    }
    if (*json) std::cout << json_text(out, 2) << '\n';
    return all ? ExitCode::kDone : ExitCode::kFailure;
  };
}

}  // namespace edmund
