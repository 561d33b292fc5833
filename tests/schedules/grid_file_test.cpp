// Grids of files: ours with its checksum, and lists of other programs.
#include "edmund/core/error.h"
#include "edmund/diffusion/time_grid.h"
#include "schedules/cases.h"
#include "schedules/grids.h"
#include "support/catch.h"
#include "support/file_contents.h"
#include "support/temporary_folder.h"

#include <fstream>
#include <string>
#include <vector>

namespace edmund::testing {
using Catch::Matchers::WithinRel;

TEST_CASE("a grid file gives its noise levels on every schedule that spans them", "[schedules]") {
  const testing::TemporaryFolder folder;
  const std::vector<double> sigmas{60, 21.123456789012345, 6.1, 0.9, 0.05};
  const auto file = folder / "grid.yaml";
  write_grid_file(file, sigmas, "first line\nsecond line");
  for (const auto& yaml : schedules_that_span({0.05, 60})) {
    const auto schedule = schedule_of(yaml);
    const TimeGrid read = grid("{type: file, file: '" + file + "'}", *schedule);
    REQUIRE(read.t.size() == sigmas.size());
    for (std::size_t i = 0; i < sigmas.size(); ++i) CHECK_THAT(schedule->sigma(read.t[i]), WithinRel(sigmas[i], 1e-12));
  }
}

TEST_CASE("a damaged grid file is refused by name, or gives the noise levels that it had", "[schedules]") {
  const testing::TemporaryFolder folder;
  const auto file = folder / "grid.yaml";
  write_grid_file(file, std::vector<double>{60, 21.125, 0.05}, "found");
  const auto edm = schedule_of("{type: edm}");
  const auto read = [&] { return grid("{type: file, file: '" + file + "'}", *edm).t; };
  const std::vector<double> whole = read();
  const std::string text = contents(file);
  std::size_t refused = 0;
  const auto check = [&](const std::string& damaged) {
    std::ofstream(file, std::ios::trunc) << damaged;
    std::vector<double> found;
    try {
      found = read();
    } catch (const Error& error) {
      ++refused;
      CHECK(std::string(error.what()).find("grid.yaml") != std::string::npos);
      return;
    }
    CHECK(found == whole);  // where it is the comment or the checksum that is gone
  };
  for (std::size_t at = 0; at < text.size(); ++at) {
    std::string changed = text;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    check(changed);
    check(text.substr(0, at));
  }
  CHECK(refused > text.size());
}

TEST_CASE("lists of noise levels of other programs are read, their final zero left out", "[schedules]") {
  const testing::TemporaryFolder folder;
  const auto edm = schedule_of("{type: edm}");
  const std::vector<double> sigmas{60, 6.1, 0.05};
  const auto check = [&](const std::string& yaml, const NoiseSchedule& schedule) {
    INFO(yaml);
    const TimeGrid read = grid(yaml, schedule);
    REQUIRE(read.t.size() == sigmas.size());
    for (std::size_t i = 0; i < sigmas.size(); ++i) CHECK_THAT(schedule.sigma(read.t[i]), WithinRel(sigmas[i], 1e-12));
  };
  for (const std::string text :
       {"sigmas=[60.0, 6.1, 0.05, 0.0]\n", "60.0, 6.1, 0.05, 0.0", "60\n6.1\n0.05\n", "# three levels\n[60 6.1 0.05]",
        "sigmas=[60.0, 6.1, 0.05, 0.0]\ntimesteps=[9, 5, 1]\n", "sigmas: [60, 6.1, 0.05, 0]"}) {
    INFO(text);
    check("{type: file, file: '" + folder.write("levels.txt", text) + "'}", *edm);
  }
  check("{type: explicit, sigmas: [60, 6.1, 0.05, 0.0]}", *edm);
  std::string flow;
  for (const double sigma : sigmas) flow += number_text(sigma / (1 + sigma)) + ", ";
  for (const auto& yaml : {"{type: edm}", "{type: flow}"}) {
    const auto schedule = schedule_of(yaml);
    check("{type: file, unit: flow, file: '" + folder.write("flow.txt", flow) + "'}", *schedule);
    check("{type: explicit, unit: flow, sigmas: [" + flow + "0]}", *schedule);
  }
  CHECK(has_message("{type: explicit, unit: flow, sigmas: [1, 0.5]}", *edm, "t below 1"));
  CHECK(has_message("{type: file, file: '" + folder.write("no.txt", "60, six") + "'}", *edm, "'six' is no number"));
}

TEST_CASE("a grid file that is missing, damaged or out of range is named with its mistake", "[schedules]") {
  const auto edm = schedule_of("{type: edm}");
  const testing::TemporaryFolder folder;
  const auto told = [&](const std::string& content, const std::string& part, Interval network = {0.0, 1e300}) {
    const auto file = folder.write("bad.yaml", content);
    INFO(content);
    CHECK(has_message("{type: file, file: '" + file + "'}", *edm, part, network));
    CHECK(has_message("{type: file, file: '" + file + "'}", *edm, "bad.yaml", network));
  };
  CHECK(has_message("{type: file}", *edm, "file"));
  CHECK(has_message("{type: file, file: /nowhere/grid.yaml}", *edm, "/nowhere/grid.yaml"));
  told("", "strictly decreasing");
  told("sigmas: [", "bad.yaml");
  told("sigmas: 3", "sigmas");
  told("sigmas: []", "strictly decreasing");
  told("sigmas: [1, 1]", "strictly decreasing");
  told("sigmas: [0.1, 1]", "strictly decreasing");
  told("sigmas: [0]", "above 0");
  told("sigmas: [1, -1]", "at least 0");
  told("sigmas: [1, many]", "many");
  told("sigmas: [1, .nan]", "sigmas");
  told("sigma: [2, 1]", "did you mean 'sigmas'");
  told("sigmas: [900, 1]", "span");
  told("sigmas: [2, 1e-9]", "span");
  told("sigmas: [2, 1]", "span", {1.5, 3});
}

}  // namespace edmund::testing
