// Which checkpoints are healthy, which are kept, and which are loaded.
#include "edmund/core/file_system.h"
#include "edmund/core/files.h"
#include "edmund/training/checkpoint.h"
#include "helpers.h"
#include "support/catch.h"
#include "support/memory_file_system.h"

#include <ATen/ops/full.h>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

using namespace edmund;
using namespace edmund::testing;
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

Checkpoint example(std::int64_t images, const std::string& fault = "") {
  return {.config = "name: x\n",
          .images = images,
          .steps = 2,
          .counters = {},
          .data = {},
          .fault = fault,
          .network = {{"weight", at::full({3}, 1.0)}},
          .ema = {{"weight", at::full({3}, 2.0)}},
          .optimizer = {{"second_moment.weight", at::full({3}, 3.0)}}};
}

// "hhx.": a checkpoint every 100 images, healthy (h), not (x), damaged (d).
void save_all(const fs::path& run, const std::string& marks) {
  for (std::size_t i = 0; i < marks.size(); ++i) {
    const auto folder = checkpoint_folder(run, 100 * static_cast<std::int64_t>(i + 1));
    save_checkpoint(folder, example(100 * static_cast<std::int64_t>(i + 1), marks[i] == 'x' ? "its loss rose" : ""));
    if (marks[i] == 'd') fs::resize_file(folder / "ema.safetensors", 3);
  }
}

std::string kept(const fs::path& run, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i)
    out += fs::exists(checkpoint_folder(run, 100 * static_cast<std::int64_t>(i + 1))) ? '1' : '0';
  return out;
}

}  // namespace

TEST_CASE("pruning never deletes the last healthy checkpoint", "[training]") {
  struct Case {
    std::string marks;
    std::int64_t keep;
    std::vector<std::int64_t> best;
    std::string kept;
  };
  const auto [marks, keep, best, expected] = GENERATE(values<Case>({
      {"hhhh", 2, {}, "0011"},     // the newest, which are healthy
      {"hhxx", 2, {}, "0111"},     // and the last healthy one beside them
      {"hxxx", 1, {}, "1001"},     // however long ago
      {"hhxx", 3, {}, "0111"},     // which may be among the newest
      {"xxxx", 2, {}, "0011"},     // there is none
      {"hxhd", 1, {}, "0011"},     // damaged ones do not count
      {"hdxx", 2, {}, "1011"},     // nor are they healthy
      {"hhxx", 2, {100}, "1111"},  // the best beside it
      {"hxxx", 2, {200}, "1111"},  // the best that is not healthy takes no place
      {"hhxx", 0, {}, "1111"},
  }));
  INFO(marks << " keep " << keep);
  const TemporaryFolder folder;
  save_all(folder.path(), marks);
  prune_checkpoints(folder.path(), {.keep = keep, .also = best});
  CHECK(kept(folder.path(), marks.size()) == expected);
  const auto healthy = newest_healthy_checkpoint(folder.path());
  const auto last = marks.rfind('h');
  CHECK(healthy.has_value() == (last != marks.npos));
  if (healthy) CHECK(*healthy == checkpoint_folder(folder.path(), 100 * static_cast<std::int64_t>(last + 1)));
}

TEST_CASE("a stop's checkpoint takes no other's place, and goes when there is a newer one", "[training]") {
  struct Case {
    std::string marks;
    std::int64_t keep;
    std::set<std::int64_t> unplanned;
    std::string kept;
  };
  const auto& [marks, keep, unplanned, expected] = GENERATE(values<Case>({
      {"hhhh", 2, {400}, "0111"},       // a stop after three
      {"hhhhh", 2, {400}, "00101"},     // gone on: as if it had not been
      {"hhhh", 1, {300, 400}, "0101"},  // two stops
      {"hhhd", 1, {300, 400}, "0111"},  // the newest is of no use
      {"hhhx", 1, {300}, "0011"},       // the last healthy one
      {"hhhh", 0, {300, 400}, "1111"},
  }));
  INFO(marks << " keep " << keep);
  const TemporaryFolder folder;
  save_all(folder.path(), marks);
  const auto is_planned = [&](std::int64_t images) { return !unplanned.contains(images); };
  for (int round = 0; round < 2; ++round) {
    prune_checkpoints(folder.path(), {.keep = keep, .is_planned = is_planned});
    CHECK(kept(folder.path(), marks.size()) == expected);
  }
}

TEST_CASE("whatever is saved in whatever order, a healthy checkpoint stays until a newer one is there", "[training]") {
  for (int pattern = 0; pattern < 64; ++pattern)
    for (const std::int64_t keep : {1, 2, 3}) {
      MemoryFileSystem system;  // a disk would have to sync ten thousand files
      const FileSystemScope scope(system);
      const fs::path run = "/run";
      std::int64_t last = 0;
      for (int i = 0; i < 6; ++i) {
        const bool healthy = (pattern >> i & 1) != 0;
        save_checkpoint(checkpoint_folder(run, 100 * (i + 1)), example(100 * (i + 1), healthy ? "" : "no"));
        prune_checkpoints(run, {.keep = keep});
        if (healthy) last = 100 * (i + 1);
        INFO("pattern " << pattern << ", keep " << keep << ", save " << i);
        REQUIRE((last == 0 || system.status(checkpoint_folder(run, last)).kind == FileStatus::Kind::kFolder));
      }
    }
}

TEST_CASE("health is recorded, and tensors that are not finite are told by name and refused", "[training]") {
  const TemporaryFolder folder;
  const fs::path good = checkpoint_folder(folder.path(), 100), ill = checkpoint_folder(folder.path(), 200),
                 bad = checkpoint_folder(folder.path(), 300);
  save_checkpoint(good, example(100));
  save_checkpoint(ill, example(200, "the last 3 steps went wrong"));
  const json state = json::parse(read_file(ill / "state.json"));
  CHECK(state["health"] == json{{"healthy", false}, {"fault", "the last 3 steps went wrong"}});
  CHECK(json::parse(read_file(good / "state.json"))["health"]["healthy"] == true);
  CHECK(read_header(ill).fault == "the last 3 steps went wrong");
  CHECK(load_checkpoint(ill).images == 200);  // with a warning

  const double value = GENERATE(std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(),
                                -std::numeric_limits<double>::infinity());
  const int part = GENERATE(0, 1, 2);
  Checkpoint checkpoint = example(300);
  NamedTensors& tensors = part == 0 ? checkpoint.network : part == 1 ? checkpoint.ema : checkpoint.optimizer;
  tensors.front().second[1] = value;
  save_checkpoint(bad, checkpoint);
  const char* names[] = {"weight of network", "weight of ema", "second_moment.weight of optimizer"};
  CHECK(read_header(bad).fault == std::string(names[part]) + " holds values that are not finite");
  CHECK(newest_healthy_checkpoint(folder.path()) == good);

  const std::vector<std::function<void()>> loads = {[&] { load_checkpoint(bad); }, [&] { load_weights(bad, false); },
                                                    [&] { load_weights(bad, true); }};
  for (std::size_t i = 0; i < loads.size(); ++i) {
    const std::string message = error_of(loads[i]);
    INFO(message);
    const bool is_read = i == 0 || (i == 1 && part == 0) || (i == 2 && part == 1);
    CHECK(message.empty() == !is_read);
    if (!is_read) continue;
    CHECK(contains(message, "weight holds values that are not finite"));
    CHECK(contains(message, "go back to " + good.string()));  // past the one that is not healthy
    CHECK(message.find('\n') == message.npos);
  }
}

TEST_CASE("a checkpoint of a version that knew no health counts as healthy", "[training]") {
  const TemporaryFolder folder;
  const fs::path old = checkpoint_folder(folder.path(), 100);
  save_checkpoint(old, example(100, "something"));
  json state = json::parse(read_file(old / "state.json"));
  state.erase("checksum");
  const auto health = GENERATE(json(), json(3), json({{"fault", 7}}), json({{"healthy", true}}));
  state["health"] = health;
  if (health.is_null()) state.erase("health");
  state["checksum"] = checksum(state.dump());
  write_file(old / "state.json", state.dump(2));
  CHECK(read_header(old).fault.empty());
  CHECK(newest_healthy_checkpoint(folder.path()) == old);
}

TEST_CASE("a run without checkpoints has no healthy one", "[training]") {
  const TemporaryFolder folder;
  CHECK_FALSE(newest_healthy_checkpoint(folder.path()).has_value());
}
