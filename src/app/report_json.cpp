#include "report_json.h"

#include "edmund/app/score_rows.h"
#include "edmund/core/files.h"
#include "edmund/core/parsed_json.h"

#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <utility>

namespace edmund {
namespace fs = std::filesystem;
using nlohmann::json;
namespace {

// Without members that are null, which stand for numbers that were not finite: they are missing. An
// end of an interval that is null says that it is not known.
json without_nulls(json value) {
  if (value.is_object())
    for (auto at = value.begin(); at != value.end();)
      at = at->is_null() && at.key() != "low" ? value.erase(at) : std::next(at);
  if (value.is_structured())
    for (json& inner : value) inner = without_nulls(std::move(inner));
  return value;
}

}  // namespace

std::vector<json> read_lines(const fs::path& file) {
  std::vector<json> out;
  if (!fs::exists(file)) return out;
  std::istringstream lines(read_file(file));
  for (std::string line; std::getline(lines, line);)
    if (json value = without_nulls(parsed_json<json>(line)); member(value, "images").is_number())
      out.push_back(std::move(value));
  return out;
}

double number_or_nan(const json& object, const char* key) {
  const json& found = member(object, key);
  return found.is_number() ? found.get<double>() : NAN;
}

json read_scores(const RunFolder& run) {
  json all = json::array();  // what is damaged is told and left out
  for (const auto& row : whole_rows(run.scores())) all.push_back(without_nulls(json(row)));
  const auto keep_objects = [](json& list) {
    std::erase_if(list.get_ref<json::array_t&>(), [](const json& row) { return !row.is_object(); });
  };
  for (json& row : all) {
    if (!member(row, "scores").is_array()) row["scores"] = json::array();
    keep_objects(row["scores"]);
  }
  return all;
}

}  // namespace edmund
