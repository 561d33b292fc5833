#include "edmund/training/checkpoint.h"

#include "edmund/core/file_system.h"
#include "edmund/core/files.h"
#include "helpers.h"
#include "support/catch.h"
#include "support/memory_file_system.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>

using namespace edmund;
using namespace edmund::testing;
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

Checkpoint example(std::int64_t images = 128) {
  return {.config = "name: digits\nσ: {type: edm}\n",
          .images = images,
          .steps = 2,
          .counters = {{"seconds", 1.5}, {"skipped_steps", 1.0}},
          .data = {.images = 1797, .content = "0123456789abcdef", .labels = "fedcba9876543210"},
          .network = {{"bias", at::full({2}, -1.0)}, {"weight", at::arange(6, at::kDouble).view({2, 3})}},
          .ema = {{"bias", at::full({2}, 3.0)}, {"weight", at::arange(6, at::kDouble).view({2, 3}) * 0.1}},
          .optimizer = {{"first_moment.bias", at::full({2}, 0.5)}, {"second_moment.bias", at::full({2}, 0.25)}}};
}

/// A run folder with the checkpoints of 128 and 256 images.
struct Run {
  TemporaryFolder folder;
  fs::path older = checkpoint_folder(folder.path(), 128), newer = checkpoint_folder(folder.path(), 256);

  Run() {
    save_checkpoint(older, example(128));
    save_checkpoint(newer, example(256));
  }
};

void change_byte(const fs::path& file, std::size_t at) {
  std::string bytes = read_file(file);
  bytes.at(at) = static_cast<char>(bytes.at(at) ^ 1);
  write_file(file, bytes);
}

/// Changes state.json as someone with an editor would who knows how to mend the checksum.
void edit_state(const fs::path& folder, const std::function<void(json&)>& edit) {
  json state = json::parse(read_file(folder / "state.json"));
  edit(state);
  state.erase("checksum");
  state["checksum"] = checksum(state.dump());
  write_file(folder / "state.json", state.dump(2));
}

}  // namespace

TEST_CASE("a checkpoint comes back as it was written", "[training]") {
  const Run run;
  CHECK(run.newer.filename() == "000000000256");
  const Checkpoint found = load_checkpoint(run.newer), expected = example(256);
  CHECK(found.config == expected.config);
  CHECK(found.images == 256);
  CHECK(found.steps == 2);
  CHECK(found.counters == expected.counters);
  CHECK(same(found.network, expected.network));
  CHECK(same(found.ema, expected.ema));
  CHECK(same(found.optimizer, expected.optimizer));
  CHECK(load_checkpoint(run.newer / "").images == 256);
}

TEST_CASE("a checkpoint knows its data, unless it is older than that", "[training]") {
  const Run run;
  CHECK(load_checkpoint(run.newer).data == example().data);
  CHECK(read_header(run.newer).data == example().data);
  for (const auto& other : {json(), json(3), json({{"images", 3}}), json({{"images", "x"}, {"content", 1}})}) {
    edit_state(run.newer, [&](json& state) { state["data"] = other; });
    CHECK(read_header(run.newer).data == DataFingerprint{});
  }
  edit_state(run.newer, [](json& state) { state.erase("data"); });
  CHECK(read_header(run.newer).data == DataFingerprint{});
}

TEST_CASE("sampling loads the weights that it needs and nothing else", "[training]") {
  const Run run;
  fs::remove(run.newer / "optimizer.safetensors");
  const Checkpoint ema = load_weights(run.newer), raw = load_weights(run.newer, false);
  CHECK(same(ema.ema, example().ema));
  CHECK(ema.network.empty());
  CHECK(same(raw.network, example().network));
  CHECK(raw.ema.empty());
  CHECK(raw.config == example().config);
}

TEST_CASE("a checkpoint of the same name is replaced and nothing is left over", "[training]") {
  const Run run;
  Checkpoint other = example(256);
  other.steps = 77;
  save_checkpoint(run.newer, other);
  CHECK(load_checkpoint(run.newer).steps == 77);
  std::size_t entries = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(run.folder.path() / "checkpoints")) ++entries;
  CHECK(entries == 2);
}

TEST_CASE("every kind of damage is an error with the file, what is wrong and the way back", "[training]") {
  struct Damage {
    std::string name, file, words;
    std::function<void(const fs::path&)> make;
  };
  const auto state = [](std::string name, std::string words, std::function<void(json&)> edit) {
    return Damage{std::move(name), "state.json", std::move(words),
                  [edit = std::move(edit)](const fs::path& at) { edit_state(at, edit); }};
  };
  const std::vector<Damage> damages = {
      {"no state", "state.json", "missing", [](const fs::path& at) { fs::remove(at / "state.json"); }},
      {"no network", "network.safetensors", "missing",
       [](const fs::path& at) { fs::remove(at / "network.safetensors"); }},
      {"a folder in a file's place", "ema.safetensors", "not a regular file",
       [](const fs::path& at) {
         fs::remove(at / "ema.safetensors");
         fs::create_directory(at / "ema.safetensors");
       }},
      {"truncated weights", "ema.safetensors", "truncated",
       [](const fs::path& at) { fs::resize_file(at / "ema.safetensors", fs::file_size(at / "ema.safetensors") - 1); }},
      {"empty weights", "network.safetensors", "truncated",
       [](const fs::path& at) { fs::resize_file(at / "network.safetensors", 0); }},
      {"longer weights", "optimizer.safetensors", "expected",
       [](const fs::path& at) {
         write_file(at / "optimizer.safetensors", read_file(at / "optimizer.safetensors") + "more");
       }},
      {"a changed bit", "network.safetensors", "checksum",
       [](const fs::path& at) {
         change_byte(at / "network.safetensors", fs::file_size(at / "network.safetensors") - 3);
       }},
      {"truncated state", "state.json", "truncated",
       [](const fs::path& at) { fs::resize_file(at / "state.json", 60); }},
      {"empty state", "state.json", "truncated", [](const fs::path& at) { fs::resize_file(at / "state.json", 0); }},
      {"absurdly large state", "state.json", "large",
       [](const fs::path& at) { fs::resize_file(at / "state.json", 1ull << 33); }},
      {"state of something else", "state.json", "not the state",
       [](const fs::path& at) { write_file(at / "state.json", R"({"images": 3})"); }},
      {"state that is not an object", "state.json", "not a JSON object",
       [](const fs::path& at) { write_file(at / "state.json", "[1, 2]"); }},
      {"a changed number", "state.json", "checksum",
       [](const fs::path& at) {
         std::string text = read_file(at / "state.json");
         text.replace(text.find("\"steps\": 2"), 10, "\"steps\": 9");
         write_file(at / "state.json", text);
       }},
      state("a later version", "version 2", [](json& s) { s["version"] = 2; }),
      state("negative images", "images", [](json& s) { s["images"] = -5; }),
      state("images beyond all counts", "images", [](json& s) { s["images"] = 18446744073709551615ull; }),
      state("steps that are text", "steps", [](json& s) { s["steps"] = "many"; }),
      state("no config", "config", [](json& s) { s.erase("config"); }),
      state("counters that are a list", "counters",
            [](json& s) {
              s["counters"] = {1, 2};
            }),
      state("a counter that is text", "seconds", [](json& s) { s["counters"]["seconds"] = "x"; }),
      state("no files", "files", [](json& s) { s["files"] = 7; }),
      state("a file without its checksum", "ema.safetensors",
            [](json& s) { s["files"]["ema.safetensors"].erase("xxhash64"); }),
      state("a file of negative size", "network.safetensors",
            [](json& s) { s["files"]["network.safetensors"]["bytes"] = -1; }),
      state("another file's checksum", "checksum",
            [](json& s) { s["files"]["network.safetensors"]["xxhash64"] = "0000000000000000"; }),
      {"hostile weights with a right checksum", "network.safetensors", "",
       [](const fs::path& at) {
         const std::string hostile("\xff\xff\xff\xff\xff\xff\xff\x7f{}", 10);
         write_file(at / "network.safetensors", hostile);
         edit_state(at, [&](json& s) {
           s["files"]["network.safetensors"] = {{"bytes", 10}, {"xxhash64", checksum(hostile)}};
         });
       }},
  };
  for (const auto& damage : damages) {
    const Run run;
    damage.make(run.newer);
    const std::string message = error_of([&] { load_checkpoint(run.newer); });
    INFO(damage.name << ": " << message);
    CHECK(contains(message, damage.words));
    CHECK(contains(message, run.newer.string()));
    if (damage.name != "another file's checksum") CHECK(contains(message, damage.file));
    CHECK(message.find('\n') == std::string::npos);
    if (damage.name.find("hostile") == std::string::npos) {
      CHECK(contains(message, "go back to " + run.older.string()));
      CHECK(newest_checkpoint(run.folder.path()) == run.older);  // passed over
    }
  }
}

TEST_CASE("each bit that is changed and each byte that is lost or added in a checkpoint is found", "[training]") {
  MemoryFileSystem system;
  const FileSystemScope scope(system);
  const fs::path folder = checkpoint_folder("/run", 128);
  save_checkpoint(folder, example());
  const Checkpoint whole = load_checkpoint(folder);
  std::int64_t damages = 0;
  for (const std::string& name : system.names(folder)) {
    const std::string bytes = read_file(folder / name);
    const auto finds = [&](const std::string& damaged) {
      REQUIRE_FALSE(system.extend(folder / name, 0, damaged));
      ++damages;
      const std::string message = error_of([&] { load_checkpoint(folder); });
      return contains(message, (folder / name).string());
    };
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      INFO(name << " at byte " << at);
      std::string changed = bytes;
      for (int bit = 0; bit < 8; ++bit) {
        changed[at] = static_cast<char>(bytes[at] ^ (1 << bit));
        REQUIRE(finds(changed));
      }
      if (bytes.substr(at) != "\n") REQUIRE(finds(bytes.substr(0, at)));  // that alone says nothing
    }
    REQUIRE(finds(bytes + 'x'));
    REQUIRE_FALSE(system.remove(folder / name));
    CHECK(contains(error_of([&] { load_checkpoint(folder); }), name));
    REQUIRE_FALSE(system.create(folder / name, bytes));
  }
  CHECK(same_state(load_checkpoint(folder), whole));
  CHECK(damages > 2200);
}

TEST_CASE("a folder that is not there is an error", "[training]") {
  const TemporaryFolder folder;
  CHECK(contains(error_of([&] { load_checkpoint(folder.path() / "none"); }), "no such folder"));
  CHECK_FALSE(newest_checkpoint(folder.path()).has_value());
  CHECK_FALSE(newest_checkpoint(folder.path() / "none").has_value());
}

TEST_CASE("checkpoints of which none is whole are an error, not a run that has not begun", "[training]") {
  const Run run;
  fs::resize_file(run.newer / "ema.safetensors", 3);
  CHECK(newest_checkpoint(run.folder.path()) == run.older);
  fs::remove(run.older / "state.json");
  const std::string message = error_of([&] { static_cast<void>(newest_checkpoint(run.folder.path())); });
  INFO(message);
  CHECK(contains(message, (run.folder.path() / "checkpoints").string() + ": no whole checkpoint among 2"));
  CHECK(contains(message, "ema.safetensors: 3 bytes"));
  CHECK(contains(message, "move them away to train anew"));
}

TEST_CASE("the oldest checkpoint has nothing to go back to and says so", "[training]") {
  const Run run;
  fs::resize_file(run.older / "ema.safetensors", 3);
  CHECK(contains(error_of([&] { load_weights(run.older); }), "no older checkpoint"));
}

TEST_CASE("the newest checkpoint is found by its number of images", "[training]") {
  const Run run;
  CHECK(newest_checkpoint(run.folder.path()) == run.newer);
  const fs::path beyond = checkpoint_folder(run.folder.path(), 1'000'000'000'000);
  save_checkpoint(beyond, example(1'000'000'000'000));
  make_folder(run.folder.path() / "checkpoints" / "zzz");
  make_folder(run.folder.path() / "checkpoints" / ".tmp-000000000999-new-1");
  CHECK(newest_checkpoint(run.folder.path()) == beyond);
}

TEST_CASE("pruning keeps the newest whole checkpoints and clears what was not finished", "[training]") {
  const TemporaryFolder folder;
  for (const std::int64_t images : {100, 200, 300, 400, 500})
    save_checkpoint(checkpoint_folder(folder.path(), images), example(images));
  make_folder(folder.path() / "checkpoints" / ".tmp-000000000600-new-1");
  const auto is_there = [&](std::int64_t images) { return fs::exists(checkpoint_folder(folder.path(), images)); };

  prune_checkpoints(folder.path(), {.keep = 0});
  CHECK_FALSE(fs::exists(folder.path() / "checkpoints" / ".tmp-000000000600-new-1"));
  CHECK(is_there(100));

  prune_checkpoints(folder.path(), {.keep = 3});
  CHECK_FALSE(is_there(200));
  CHECK(is_there(300));

  fs::resize_file(checkpoint_folder(folder.path(), 500) / "network.safetensors", 5);
  prune_checkpoints(folder.path(), {.keep = 1});
  CHECK_FALSE(is_there(300));
  CHECK(is_there(400));
  CHECK(newest_checkpoint(folder.path()) == checkpoint_folder(folder.path(), 400));
}

TEST_CASE("a counter that is not finite is refused before anything is written", "[training]") {
  const TemporaryFolder folder;
  Checkpoint checkpoint = example();
  checkpoint.counters["loss"] = std::numeric_limits<double>::quiet_NaN();
  CHECK(contains(error_of([&] { save_checkpoint(checkpoint_folder(folder.path(), 128), checkpoint); }), "loss"));
  CHECK_FALSE(fs::exists(folder.path() / "checkpoints"));
}

TEST_CASE("a checkpoint that cannot be written leaves the one before whole", "[training]") {
  const Run run;
  // A file stands where the new folder's parent would be.
  const fs::path blocked = run.folder.path() / "blocked";
  write_file(blocked, "a file");
  CHECK(contains(error_of([&] { save_checkpoint(blocked / "000000000512", example(512)); }), "blocked"));
  CHECK(load_checkpoint(run.newer).images == 256);
}
