// matrix: every schedule × sampler × parameterization, measured on data whose ODE is known: order
// of convergence, distance, evaluations, refusals.
//
//   edmund matrix [--out DIR] [--quick] [--threads N] [--json]
//
// DIR (default matrix) takes matrix.json and matrix.html. Measured cells are kept until all are:
// the same command goes on where it was interrupted.
//
// Exit code 1 if a schedule breaks its contract, a cell its sampler's promise, or a config is
// refused without need.
#include "edmund/studies/matrix.h"

#include "edmund/commands/command.h"
#include "edmund/core/files.h"
#include "edmund/core/kept_work.h"
#include "edmund/core/log.h"
#include "edmund/core/progress.h"
#include "edmund/core/stop.h"

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <thread>

namespace edmund {
namespace {

struct Flags {
  std::string out = "matrix";
  std::int64_t threads = 0;
  bool quick = false, json = false;
};

ExitCode measure(const Flags& flags) {
  require_folder_like("--out", flags.out);
  const StopRequest stop;
  const auto threads =
      flags.threads > 0 ? flags.threads : std::max<std::int64_t>(std::thread::hardware_concurrency(), 1);
  const std::filesystem::path out = flags.out;
  KeptWork kept(out, "matrix", format("{} {}", EDMUND_VERSION, flags.quick));
  std::unique_ptr<Progress> progress;
  const Matrix matrix = convergence_matrix(
      {.quick = flags.quick, .threads = threads, .kept = &kept, .progress = [&](std::int64_t done, std::int64_t all) {
         if (!progress) progress = std::make_unique<Progress>("matrix", "cells", all);
         progress->update(done);
       }});
  if (progress) progress->finish();
  const std::string json = matrix_json(matrix);
  write_file(out / "matrix.json", json);
  write_file(out / "matrix.html", matrix_page(matrix));
  kept.finish();

  const std::vector<std::string> broken = complaints(matrix);
  for (const auto& line : broken) log::warn("{}", line);
  if (flags.json)
    std::cout << json;
  else
    std::cout << format("{}, in {} s; {}\n", summary(matrix), static_cast<std::int64_t>(matrix.seconds + 0.5),
                        std::filesystem::absolute(out / "matrix.html").string());
  return broken.empty() ? ExitCode::kDone : ExitCode::kFailure;
}

}  // namespace

Action make_matrix(CLI::App& arguments) {
  const auto flags = std::make_shared<Flags>();
  arguments.add_option("--out", flags->out, "folder for matrix.json and matrix.html (default: matrix)");
  add_integer(arguments, "--threads", flags->threads, {0, 1024}, "cells at a time (default: cores)");
  arguments.add_flag("--quick", flags->quick, "one parameterization, fewer images");
  arguments.add_flag("--json", flags->json, "print the JSON");
  return [=] { return measure(*flags); };
}

}  // namespace edmund
