#include "edmund/app/score_curves.h"

#include "edmund/io/event_file.h"
#include "report_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

namespace edmund {
namespace {

using nlohmann::json;

// What rows of one curve share: all that their numbers depend on but the weights.
std::string curve_of(const json& row) {
  return row.value("protocol", row.value("name", "")) + " " + row.value("weights", "ema");
}

// A name without the checkpoint that it may state.
std::string without_checkpoint(std::string name) {
  constexpr std::string_view kWord = ", checkpoint ";
  const auto at = name.find(kWord);
  if (at == name.npos) return name;
  return name.erase(at, name.find_first_not_of("0123456789", at + kWord.size()) - at);
}

}  // namespace

std::vector<ScoreCurve> score_curves(const json& rows) {
  std::vector<ScoreCurve> out;
  std::vector<std::string> keys;  // of each curve
  for (const json& row : rows)
    for (const json& score : row.value("scores", json::array())) {
      if (!score.contains("value") || !score["value"].is_number()) continue;
      const std::string metric = score.value("name", ""), key = curve_of(row) + " " + metric;
      const auto place = static_cast<std::size_t>(std::ranges::find(keys, key) - keys.begin());
      if (place == keys.size()) {
        keys.push_back(key);
        out.push_back({.metric = metric, .sampling = without_checkpoint(row.value("name", "")), .points = {}});
      }
      out[place].points.push_back({row.value("trained_images", std::int64_t{0}), score["value"].get<double>(),
                                   number_or_nan(score, "low"), number_or_nan(score, "high")});
    }
  for (ScoreCurve& curve : out) std::ranges::stable_sort(curve.points, {}, &ScoreCurve::Point::images);
  return out;
}

void write_score_events(const RunFolder& run) {
  const json rows = read_scores(run);
  if (rows.empty()) return;
  const std::filesystem::path folder = run.path / "events" / "scores";
  delete_event_files(folder);
  EventFile events(folder);
  for (const ScoreCurve& curve : score_curves(rows))
    for (const ScoreCurve::Point& point : curve.points)
      events.scalar(curve.metric + "/" + curve.sampling, point.value, point.images);
  events.flush();
}

}  // namespace edmund
