#include "log_lines.h"

#include "edmund/core/files.h"
#include "edmund/core/parsed_json.h"

#include <nlohmann/json.hpp>
#include <sstream>

namespace edmund {
using nlohmann::ordered_json;

std::string lines_until(const std::filesystem::path& file, std::int64_t images) {
  std::istringstream lines(read_file(file));
  std::string kept;
  for (std::string line; std::getline(lines, line);) {
    const auto json = parsed_json<nlohmann::json>(line);
    const bool is_line = json.is_object() && json.contains("images") && json["images"].is_number_integer();
    if (!is_line || json["images"].get<std::int64_t>() > images) break;
    kept += line + '\n';
  }
  return kept;
}

ordered_json json_of(const LossBins& bins) {
  ordered_json out = ordered_json::array();
  for (const auto& bin : bins.filled())
    out.push_back({{bins.clock(), bin.center}, {"loss", bin.loss}, {"count", bin.count}});
  return out;
}

}  // namespace edmund
