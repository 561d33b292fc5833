// Paths in configs, and texts that are not read as YAML.
#include "core/helpers.h"
#include "edmund/core/options.h"
#include "support/catch.h"

#include <filesystem>

namespace edmund {
namespace {

using testing::contains;
using testing::error_of;
using testing::TemporaryFolder;

/// The working folder while it lives.
class Inside {
 public:
  explicit Inside(const std::filesystem::path& folder) : before_(std::filesystem::current_path()) {
    std::filesystem::current_path(folder);
  }
  ~Inside() { std::filesystem::current_path(before_); }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

 private:
  std::filesystem::path before_;
};

}  // namespace

TEST_CASE("a path starts at the folder of the file that names it, an override's at the working folder", "[core]") {
  const TemporaryFolder folder;
  folder.write("bases/data/x", "");
  folder.write("other/y", "");
  folder.write("bases/base.yaml", "data: {root: data}\nextra: {file: ../gone.npz}\n");
  const auto file = folder.write("configs/run.yaml", "base: ../bases/base.yaml\nreference: ref.npz\n");
  const Inside other(folder.path() / "other");
  const std::vector<std::string> overrides = {"grid.file=y"};
  Options options = Options::read_file(file, overrides);
  CHECK(options.child("data").path("root") == folder.path() / "bases/data");
  CHECK(options.path("reference") == folder.path() / "configs/ref.npz");
  CHECK(options.child("extra").required_path("file") == folder.path() / "gone.npz");
  CHECK(options.child("grid").path("file") == folder.path() / "other/y");
  CHECK(options.path("absent").empty());
  CHECK(options.path("absent_too", "/usr/share/x", "") == "/usr/share/x");
  options.finish();
  const Inside elsewhere("/");
  Options again = Options::read_text(options.chosen(), "again");
  CHECK(again.child("data").path("root") == folder.path() / "bases/data");
  CHECK(again.child("grid").path("file") == folder.path() / "other/y");
  CHECK(again.path("reference") == folder.path() / "configs/ref.npz");
  CHECK(contains(options.resolved(), (folder.path() / "other/y").string()));
}

TEST_CASE("paths that are read later, and in mappings over others, are absolute in what is stored", "[core]") {
  const TemporaryFolder folder;
  const auto file =
      folder.write("c/run.yaml", "features: {file: w.bin}\nsampling: {grid: {file: g.yaml}}\nlist: [{run: a}]\n");
  Options options = Options::read_file(file);
  options.settle("features.file");
  options.settle("features.none");
  options.settle("list[0].run");
  options.settle("list[1].run");
  Options sampling = options.child("sampling");
  sampling.stand_on("{grid: {type: file}}", "preset");
  CHECK(sampling.child("grid").path("file") == folder.path() / "c/g.yaml");
  for (const char* name : {"c/w.bin", "c/g.yaml", "c/a"})
    CHECK(contains(options.chosen(), (folder.path() / name).string()));
  CHECK_FALSE(contains(options.chosen(), "type"));  // of the preset
}

TEST_CASE("a path that only the working folder has is one mistake, which says so", "[core]") {
  const TemporaryFolder folder;
  folder.write("data/x", "");
  const auto file = folder.write("configs/run.yaml", "root: data\nlater: {file: data}\n");
  const Inside here(folder.path());
  Options options = Options::read_file(file);
  CHECK(options.path("root").empty());
  options.defer("later");
  options.settle("later.file");
  const std::string message = error_of([&] { options.finish(); });
  CHECK(contains(message, format("{}:1:7: root: no {}: a path starts at the folder of the file that names it", file,
                                 folder / "configs/data")));
  CHECK(contains(message, "'data' lies in the working folder: write " + (folder / "data")));
  CHECK(contains(message, ":2:15: later.file: no "));
}

TEST_CASE("a text that is set is taken as it is", "[core]") {
  for (const std::string text : {"a: b # c", "[x]", "it's \"so\"", "line\nline", "", "1e6", "caf\xe9", "null", "~"}) {
    Options options;
    options.set("root", text, "--folder");
    options.set("type", "folder", "--folder");
    CHECK(options.text("root", "?") == text);
    CHECK(options.where("root") == "--folder: root");
    CHECK(options.text("type", "") == "folder");
    options.finish();
  }
  Options options = Options::read_text("{a: {x: 1}}", "run.yaml");
  Options a = options.child("a"), b = options.child("b");
  a.set("x", "2", "--x");
  b.set("y", "3", "--y");
  CHECK(a.text("x", "") == "2");
  CHECK(b.text("y", "") == "3");
}

TEST_CASE("quoted texts read back as they were", "[core]") {
  for (const std::string text :
       {"plain", "a: b", "it's", "\"q\"", "two\nlines", "tab\t", "\\", "yes", "12", "", "#x"}) {
    Options options = Options::read_text(format("{list: [{}]}", Options::quoted(text)), "test");
    CHECK(options.texts("list", {}) == std::vector<std::string>{text});
  }
  CHECK(Options::quoted("caf\xe9") == "\"caf\xEF\xBF\xBD\"");
}

TEST_CASE("annotated() is what was chosen, with all else in comments", "[core]") {
  const std::string text = "sampling:\n  grid:\n    type: karras\n    steps: 4\n  sampler: heun\n";
  const auto read = [](Options options) {
    Options sampling = options.child("sampling"), grid = sampling.child("grid"), sampler = sampling.child("sampler"),
            network = options.child("network");
    sampling.stand_on("{grid: {rho: 5}, clip: [-1, 1]}", "preset");
    grid = sampling.child("grid");
    grid.text("type", "");
    grid.integer("steps", 18);
    grid.real("rho", 7);
    sampler.text("type", "");
    sampling.interval("clip");
    network.integer("channels", 64);
    options.finish();
    return options;
  };
  Options options = read(Options::read_text(text, "run.yaml"));
  const std::string annotated = options.annotated();
  INFO(annotated);
  CHECK(contains(annotated, "\n    steps: 4\n"));
  CHECK(contains(annotated, "\n    # rho: "));
  CHECK(contains(annotated, "\n  # clip: [-1, 1]\n"));
  CHECK(contains(annotated, "# network:\n  # channels: 64\n"));
  Options again = read(Options::read_text(annotated, "again.yaml"));
  CHECK(again.resolved() == options.resolved());
  CHECK(again.annotated() == annotated);
  for (const OptionFacts& fact : options.facts())
    if (fact.path == "sampling.grid.rho" || fact.path == "sampling.clip") CHECK_FALSE(fact.is_chosen);
}

}  // namespace edmund
