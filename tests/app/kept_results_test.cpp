// Results that are read again: scores and curvature of a run. Damage is found, told and mended.
#include "edmund/app/curvature.h"
#include "edmund/app/score_rows.h"
#include "edmund/core/files.h"
#include "edmund/core/json_text.h"
#include "edmund/core/log.h"
#include "edmund/core/sealed_json.h"
#include "support/catch.h"
#include "support/temporary_folder.h"

#include <nlohmann/json.hpp>

using namespace edmund;
using nlohmann::ordered_json;

namespace {

ordered_json row(const std::string& name) {
  return {{"name", name}, {"evaluation", checksum(name)}, {"scores", {{{"value", 0.5}}}}};
}

/// Whether this row, and no other, is found where one of its name is looked for.
bool finds(const std::string& name, const std::filesystem::path& file) {
  const auto found = kept_row(checksum(name), file);
  return found.has_value() && *found == row(name);
}

}  // namespace

TEST_CASE("a damaged row of the scores is left out, kept aside, and made again", "[app]") {
  const testing::TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "scores.json";
  for (const char* name : {"heun", "euler", "ddim"}) {
    ordered_json added = row(name);
    keep_row(added, file);
  }
  const std::string text = read_file(file);
  REQUIRE(whole_rows(file).size() == 3);
  CHECK(finds("euler", file));

  log::set_level(log::Level::kOff);
  const std::size_t begin = text.find("euler"), end = text.find("ddim");
  for (std::size_t at = begin; at < end; ++at) {
    std::string changed = text;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    write_file(file, changed);
    const auto found = kept_row(checksum("euler"), file);
    INFO(changed.substr(at > 20 ? at - 20 : 0, 40));
    CHECK((!found || *found == row("euler")));  // whole where the bit stood between the rows
    CHECK(whole_rows(file).size() <= 3);
  }
  std::string changed = text;
  changed[begin] = 'E';
  write_file(file, changed);
  ordered_json again = row("euler");
  keep_row(again, file);
  CHECK(whole_rows(file).size() == 3);
  CHECK(finds("euler", file));
  CHECK(read_file(folder.path() / "scores.damaged.json") == changed);
  write_file(file, text.substr(0, text.size() / 2));
  keep_row(again, file);
  CHECK(whole_rows(file).size() == 1);
  log::set_level(log::Level::kInfo);

  write_file(file, json_text(ordered_json{row("old")}));  // of an older version
  CHECK(finds("old", file));
}

TEST_CASE("damaged curvature is none", "[app]") {
  const testing::TemporaryFolder folder;
  const RunFolder run{folder.path()};
  CHECK(read_curvature(run).is_null());
  const ordered_json curvature = {{"images", 4}, {"grids", {{{"name", "karras"}, {"error", {0.5, 0.25}}}}}};
  const std::string text = json_text(sealed(curvature), 1);
  write_file(curvature_file(run), text);
  CHECK(read_curvature(run)["grids"] == curvature["grids"]);
  log::set_level(log::Level::kOff);
  for (std::size_t at = 0; at < text.size(); ++at) {
    std::string changed = text;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    write_file(curvature_file(run), changed);
    CHECK(read_curvature(run).is_null());
    write_file(curvature_file(run), text.substr(0, at));
    CHECK(read_curvature(run).is_null());
  }
  log::set_level(log::Level::kInfo);
}
