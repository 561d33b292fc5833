#include "core/helpers.h"
#include "edmund/core/options.h"
#include "support/catch.h"

namespace edmund {
namespace {

using testing::contains;
using testing::error_of;
using testing::TemporaryFolder;
using Overrides = std::vector<std::string>;

Options read(std::string_view text, const Overrides& overrides = {}) {
  return Options::read_text(text, "run.yaml", overrides);
}

std::string error(std::string_view text, const Overrides& overrides = {}) {
  return error_of([&] { read(text, overrides).finish(); });
}

}  // namespace

TEST_CASE("a file lies over its bases, key by key", "[core]") {
  const TemporaryFolder folder;
  folder.write("bases/one.yaml", "a: 1\nb: 1\nc: 1\ndeep: {x: 1, y: 1, list: [1, 1]}\n");
  folder.write("bases/two.yaml", "base: sub/three.yaml\nb: 2\ndeep: {y: 2}\n");
  folder.write("bases/sub/three.yaml", "b: 3\nd: 3\ndeep: {z: 3}\n");
  const auto file = folder.write("run.yaml", "base: [bases/one.yaml, bases/two.yaml]\nc: 0\ndeep: {list: [0]}\nb:\n");
  Options options = Options::read_file(file);
  CHECK(options.integer("a", -1) == 1);
  CHECK(options.integer("c", -1) == 0);
  CHECK(options.integer("d", -1) == 3);
  CHECK(options.integer("b", -1) == -1);  // null takes the value of the bases away
  Options deep = options.child("deep");
  CHECK(deep.integer("x", -1) == 1);
  CHECK(deep.integer("y", -1) == 2);
  CHECK(deep.integer("z", -1) == 3);
  CHECK(deep.integers("list", {}) == std::vector<std::int64_t>{0});
  CHECK_NOTHROW(options.finish());
  CHECK(deep.where("z") == format("{}:3:11: deep.z", folder / "bases/sub/three.yaml"));
  CHECK(options.where("c") == format("{}:2:4: c", file));
}

TEST_CASE("mistakes in bases are told where they stand", "[core]") {
  const TemporaryFolder folder;
  const auto base = folder.write("base.yaml", "a: x\nodd: 1\n");
  const auto file = folder.write("run.yaml", "base: base.yaml\nb: y\n");
  Options options = Options::read_file(file);
  options.integer("b", 0);
  options.integer("a", 0);
  CHECK(error_of([&] { options.finish(); }) == format("{}:2:4: b: expected an integer, found 'y'\n"
                                                      "{}:1:4: a: expected an integer, found 'x'\n"
                                                      "{}:2:1: unknown key 'odd'; known: b, a",
                                                      file, base, base));
}

TEST_CASE("a new type drops the keys of the old one", "[core]") {
  const TemporaryFolder folder;
  folder.write("base.yaml",
               "schedule: {type: vp, beta_max: 20}\ngrid: {type: karras, steps: 18, rho: 5}\nsampler: heun\n"
               "loss: {weight: 2}\nsame: {type: a, n: 1}\nnamed: {n: 2}\n");
  const auto file = folder.write("run.yaml",
                                 "base: base.yaml\nschedule: edm\ngrid: {type: uniform, steps: 9}\n"
                                 "sampler: {churn: 3}\nloss: {type: l1}\nsame: a\nnamed: b\n");
  Options options = Options::read_file(file);
  CHECK(options.child("schedule").keys() == std::vector<std::string>{"type"});
  CHECK(options.child("schedule").text("type", "") == "edm");
  CHECK(options.child("grid").keys() == std::vector<std::string>{"type", "steps"});
  CHECK(options.child("sampler").keys() == std::vector<std::string>{"type", "churn"});
  CHECK(options.child("sampler").text("type", "") == "heun");
  CHECK(options.child("loss").keys() == std::vector<std::string>{"weight", "type"});
  CHECK(options.child("same").keys() == std::vector<std::string>{"type", "n"});
  // a name alone is `{type: b}`: it keeps what stands there without a type
  CHECK(options.child("named").keys() == std::vector<std::string>{"n", "type"});
  CHECK(options.child("named").text("type", "") == "b");
}

TEST_CASE("bases that are missing, circular or no paths are refused", "[core]") {
  const TemporaryFolder folder;
  const auto missing = folder.write("missing.yaml", "a: 1\nbase: none.yaml\n");
  CHECK(error_of([&] { Options::read_file(missing); }) ==
        format("{}:2:7: base: no file '{}'; paths are relative to the file that names them", missing,
               folder / "none.yaml"));
  const auto a = folder.write("a.yaml", "base: sub/../b.yaml\n");
  folder.write("sub/x", "");
  const auto b = folder.write("b.yaml", "base: [c.yaml]\n"), c = folder.write("c.yaml", "base: a.yaml\n");
  CHECK(error_of([&] { Options::read_file(a); }) ==
        format("{}: base files form a circle: {} -> {} -> {} -> {}", a, a, b, c, a));
  const auto self = folder.write("self.yaml", "base: ./self.yaml\n");
  CHECK(contains(error_of([&] { Options::read_file(self); }), "form a circle"));
  CHECK(contains(error_of([&] { Options::read_file(folder.write("map.yaml", "base: {a: 1}")); }),
                 "map.yaml:1:7: base: expected the path"));
  CHECK(contains(error_of([&] { Options::read_file(folder.write("list.yaml", "base: [[a]]")); }),
                 "list.yaml:1:8: base: expected the path"));
  CHECK(contains(error_of([&] { Options::read_file(folder.write("folder.yaml", "base: sub")); }),
                 "sub: cannot read: it is a folder"));
  CHECK(contains(error_of([&] { Options::read_file(folder / "nowhere.yaml"); }),
                 "nowhere.yaml: cannot read: No such file"));
  CHECK(contains(error_of([&] { Options::read_file(folder.write("long.yaml", "base: " + std::string(5000, 'n'))); }),
                 "base: no file"));
}

TEST_CASE("bases that fan out without end are stopped", "[core]") {
  const TemporaryFolder folder;
  for (int i = 0; i < 30; ++i) folder.write(format("{}.yaml", i), format("base: [{}.yaml, {}.yaml]", i + 1, i + 1));
  folder.write("30.yaml", "a: 1");
  CHECK(contains(error_of([&] { Options::read_file(folder / "0.yaml"); }), "more than 64 base files"));
}

TEST_CASE("overrides lie on top of the file", "[core]") {
  Options options = read("a: 1\ndeep: {x: 1, y: 1}\nlist: [1]\nkeep: 5\n",
                         {"a=2", "deep.x=3", "deep.new.z=4", "list=[7, 8]", "text=\"1e6\"", "map={p: {q: 9}}",
                          " spaced = 6 ", "keep=", "equals=a=b", "a=10"});
  CHECK(options.integer("a", 0) == 10);
  CHECK(options.child("deep").integer("x", 0) == 3);
  CHECK(options.child("deep").integer("y", 0) == 1);
  CHECK(options.child("deep").child("new").integer("z", 0) == 4);
  CHECK(options.integers("list", {}) == std::vector<std::int64_t>{7, 8});
  CHECK(options.text("text", "") == "1e6");
  CHECK(options.child("map").child("p").integer("q", 0) == 9);
  CHECK(options.integer("spaced", 0) == 6);
  CHECK(options.integer("keep", 0) == 0);
  CHECK(options.text("equals", "") == "a=b");
  CHECK_NOTHROW(options.finish());
}

TEST_CASE("an override of a type counts before the keys of that type, in any order", "[core]") {
  for (const Overrides& overrides : {Overrides{"s.type=vp", "s.beta_max=10"}, Overrides{"s.beta_max=10", "s.type=vp"},
                                     Overrides{"s=vp", "s.beta_max=10"}}) {
    Options options = read("s: {type: edm, sigma_max: 80}", overrides);
    CHECK(options.child("s").text("type", "") == "vp");
    CHECK(options.child("s").integer("beta_max", 0) == 10);
    CHECK_NOTHROW(options.finish());
  }
}

TEST_CASE("mistakes in overrides name the override", "[core]") {
  Options options = read("grid: {steps: 18}", {"grid.steps=many", "gird.rho=7", "seed=[1]"});
  options.child("grid").integer("steps", 0);
  options.integer("seed", 0);
  CHECK(error_of([&] { options.finish(); }) ==
        "override 'grid.steps=many': grid.steps: expected an integer, found 'many'\n"
        "override 'gird.rho=7': unknown key 'gird'; did you mean 'grid'?\n"
        "override 'seed=[1]': seed: expected an integer, found a list");
}

TEST_CASE("overrides that say nothing sensible are refused", "[core]") {
  CHECK(error("", {"steps"}) == "override 'steps': expected key.path=value, found no '='");
  CHECK(error("", {""}) == "override '': expected key.path=value, found no '='");
  CHECK(error("", {"=3"}) == "override '=3': expected key.path=value, found an empty key");
  CHECK(error("", {" =3"}) == "override ' =3': expected key.path=value, found an empty key");
  CHECK(error("", {"a..b=3"}) == "override 'a..b=3': expected key.path=value, found an empty key");
  CHECK(error("", {"a.=3"}) == "override 'a.=3': expected key.path=value, found an empty key");
  CHECK(error("", {"a=[1"}) == "override 'a=[1': expected a key, found a list or mapping; is its bracket closed?");
  CHECK(error("", {"a=\"1"}) == "override 'a=\"1': a quote is never closed");
  CHECK(contains(error("", {"a={b: 1, b: 2}"}), "override 'a={b: 1, b: 2}': duplicate key 'b'"));
  CHECK(contains(error("", {"base=x.yaml"}), "base files are named in the config file itself"));
  CHECK(error("seed: 3", {"seed.x=1"}) ==
        "override 'seed.x=1': 'seed' is 3 (run.yaml:1:7), so nothing can be set below it");
  CHECK(error("a: {l: [1]}", {"a.l.x=1"}) ==
        "override 'a.l.x=1': 'l' is a list (run.yaml:1:8), so nothing can be set below it");
  CHECK(error("a: {type: vp}", {"a.type.x=1"}) ==
        "override 'a.type.x=1': 'type' is 'vp' (run.yaml:1:11), so nothing can be set below it");
  CHECK(error("", {"a=1", "a.b=2"}) == "override 'a.b=2': 'a' is 1 (override 'a=1'), so nothing can be set below it");
  std::string deep = "a";
  for (int i = 0; i < 100; ++i) deep += ".a";
  CHECK(contains(error("", {deep + "=1"}), "keys deep"));
}

}  // namespace edmund
