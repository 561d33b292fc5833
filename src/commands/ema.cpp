// ema: scores averages of the weights of several lengths, each made afterwards of those that the
// training kept (training.ema_tracks), in RUN/scores.json, and plots the curve in RUN/report.html.
// Goes on where it was stopped.
//
//   edmund ema RUN|CHECKPOINT [--std 0.05,0.1,0.15] [sampling.sampler.type=ddim …] [--json]
#include "edmund/core/json_text.h"
#include "edmund/core/log.h"
#include "edmund/core/stop.h"
#include "edmund/core/text.h"
#include "edmund/training/kept_averages.h"
#include "evaluate.h"

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

namespace edmund {
namespace {

using nlohmann::ordered_json;

struct EmaFlags {
  Target target;
  std::string widths = "0.03,0.05,0.075,0.1,0.125,0.15,0.2,0.25";
  bool json = false;
};

std::vector<std::string> widths_of(const EmaFlags& flags) {
  std::vector<std::string> out;
  std::istringstream parts(flags.widths);
  for (std::string part; std::getline(parts, part, ',');) {
    const Weights weights = weights_named(part, "--std");
    require(weights.kind == Weights::Kind::kWidth, "--std: expected relative widths as in 0.05,0.1, found {}",
            in_quotes(part));
    out.push_back(part);
  }
  require(!out.empty(), "--std: expected relative widths as in 0.05,0.1, found none");
  return out;
}

std::string value_of(const ordered_json& score) {
  const auto number = [&](const char* key) {
    return score[key].is_number() ? short_number(score[key].get<double>()) : "unknown";
  };
  return format("{} [{}, {}]", number("value"), number("low"), number("high"));
}

void print(const std::vector<ordered_json>& rows) {
  for (const ordered_json& row : rows) {
    std::cout << "ema " << short_number(row["ema_width"].get<double>());
    for (const ordered_json& score : row["scores"])
      std::cout << "   " << score["name"].get<std::string>() << " = " << value_of(score);
    if (row.contains("class_agreement"))
      std::cout << "   agreement = " << short_number(100 * row["class_agreement"].get<double>()) << " %";
    std::cout << '\n';
  }
}

ExitCode curve(const EmaFlags& flags) {
  const auto widths = widths_of(flags);
  const auto found = find_checkpoint(flags.target.path);
  require(!kept_averages(found.run.path).empty(),
          "{}: no averages were kept along its training; train with training.ema_tracks=[0.05, 0.1, 0.2]",
          found.run.path.string());
  std::vector<ordered_json> rows;
  for (const std::string& width : widths) {
    StopRequest::check();
    log::info("an average of relative width {}", width);
    EvaluateFlags one{.target = flags.target, .name = {}, .folder = {}, .weights = {.ema = width}};
    one.reuse = true;
    rows.push_back(evaluated(one));
  }
  if (flags.json)
    std::cout << json_text(ordered_json(rows), 2) << '\n';
  else
    print(rows);
  return ExitCode::kDone;
}

}  // namespace

Action make_ema_curve(CLI::App& arguments) {
  const auto flags = std::make_shared<EmaFlags>();
  add_target(arguments, flags->target, "RUN or RUN/checkpoints/N");
  arguments.add_option("--std", flags->widths, "relative widths of the averages, above 0 and below 0.2886")
      ->capture_default_str();
  arguments.add_flag("--json", flags->json, "rows of scores.json as JSON");
  return [=] { return curve(*flags); };
}

}  // namespace edmund
