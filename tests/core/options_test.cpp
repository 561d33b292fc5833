#include "edmund/core/options.h"

#include "core/helpers.h"
#include "edmund/core/table.h"
#include "support/catch.h"

#include <cmath>
#include <limits>

namespace edmund {
namespace {

using testing::contains;
using testing::error_of;

Options read(std::string_view text) { return Options::read_text(text, "run.yaml"); }

std::string errors(const Options& options) {
  return error_of([&] { options.finish(); });
}

}  // namespace

TEST_CASE("an empty mapping gives every default", "[core]") {
  Options options;
  CHECK(options.real("a", 0.5, between(0, 1)) == 0.5);
  CHECK(options.integer("b", 3) == 3);
  CHECK(options.flag("c", true));
  CHECK(options.text("d", "word") == "word");
  CHECK(options.choice("e", "x", {"x", "y"}) == "x");
  CHECK(options.reals("f", {1, 2}) == std::vector<double>{1, 2});
  CHECK(options.integers("g", {}).empty());
  CHECK(options.texts("h", {"t"}) == std::vector<std::string>{"t"});
  CHECK(options.child("i").child("j").integer("k", 4) == 4);
  CHECK(options.children("l").empty());
  CHECK_FALSE(options.has("a"));
  CHECK(options.keys().empty());
  CHECK(errors(options).empty());
}

TEST_CASE("values are read by their type", "[core]") {
  Options options = read(R"(
real: 1e-3
whole: 1e6
ten: 010
yes: true
name: cifar10-edm
spaced: "two words"
list: [0.5, 1]
sizes: [1_000, 2]
words: [a, "1e6", 3]
nothing:
)");
  CHECK(options.real("real", 0) == 1e-3);
  CHECK(options.integer("whole", 0) == 1'000'000);
  CHECK(options.real("whole", 0) == 1e6);
  CHECK(options.integer("ten", 0) == 10);
  CHECK(options.text("ten", "") == "010");
  CHECK(options.flag("yes", false));
  CHECK(options.text("name", "") == "cifar10-edm");
  CHECK(options.text("spaced", "") == "two words");
  CHECK(options.reals("list", {}) == std::vector<double>{0.5, 1});
  CHECK(options.integers("sizes", {}) == std::vector<std::int64_t>{1000, 2});
  CHECK(options.texts("words", {}) == std::vector<std::string>{"a", "1e6", "3"});
  CHECK_FALSE(options.has("nothing"));
  CHECK(options.integer("nothing", 7) == 7);
  CHECK(options.keys().size() == 10);
  CHECK(errors(options).empty());
}

TEST_CASE("a wrong type is told with place, path and what was found", "[core]") {
  const std::pair<const char*, const char*> cases[] = {
      {"key: many", "run.yaml:1:6: key: expected an integer, found 'many'"},
      {"key: 1.5", "run.yaml:1:6: key: expected an integer, found 1.5"},
      {"key: 1e30", "run.yaml:1:6: key: expected an integer from -2^63 to 2^63 - 1, found 1e30"},
      {"key: \"5\"", "run.yaml:1:6: key: expected an integer, found the text '5'"},
      {"key: [5]", "run.yaml:1:6: key: expected an integer, found a list"},
      {"key: {a: 5}", "run.yaml:1:6: key: expected an integer, found a mapping"},
      {"key:\n  true", "run.yaml:2:3: key: expected an integer, found 'true'"},
      {"key: \"a\\nb\"", "run.yaml:1:6: key: expected an integer, found the text 'a\\nb'"},
  };
  for (const auto& [text, message] : cases) {
    Options options = read(text);
    CHECK(options.integer("key", 42) == 42);
    CHECK(errors(options) == message);
  }
  Options options = read("{a: x, b: maybe, c: [1], d: {}, e: [1, x, y], f: 3, g: nan, h: word}");
  CHECK(options.real("a", 1) == 1);
  CHECK(options.flag("b", true));
  CHECK(options.text("c", "d") == "d");
  CHECK(options.choice("d", "x", {"x"}) == "x");
  CHECK(options.reals("e", {2}) == std::vector<double>{2});
  CHECK(options.integers("f", {3}) == std::vector<std::int64_t>{3});
  options.real("g", 0);
  CHECK(options.texts("h", {}).empty());
  CHECK(errors(options) ==
        "run.yaml:1:5: a: expected a number, found 'x'\n"
        "run.yaml:1:11: b: expected true or false, found 'maybe'\n"
        "run.yaml:1:21: c: expected text, found a list\n"
        "run.yaml:1:29: d: expected a name, found a mapping; known: x\n"
        "run.yaml:1:40: e[1]: expected a number, found 'x'\n"
        "run.yaml:1:50: f: expected a list of integers in [ ], found 3\n"
        "run.yaml:1:56: g: expected a number, found 'nan'\n"
        "run.yaml:1:64: h: expected a list of texts in [ ], found 'word'");
}

TEST_CASE("an integer beyond 64 bits is told what its key accepts", "[core]") {
  const auto message = [](const char* value, Range range) {
    Options options = read(format("x: {}", value));
    options.integer("x", 0, range);
    return errors(options);
  };
  CHECK(message("1e30", at_least(0)) ==
        "run.yaml:1:4: x: expected an integer at least 0 and at most 2^63 - 1, found 1e30");
  CHECK(message("-1e30", at_least(0)) == "run.yaml:1:4: x: expected an integer at least 0, found -1e30");
  CHECK(message("1e30", between(1, 9)) == "run.yaml:1:4: x: expected an integer between 1 and 9, found 1e30");
}

TEST_CASE("ranges hold at their ends as they say", "[core]") {
  const auto message = [](const char* value, Range range) {
    Options options = read(format("x: {}", value));
    options.real("x", 0, range);
    return errors(options);
  };
  CHECK(message("2", at_least(2)).empty());
  CHECK(message("1", at_least(2)) == "run.yaml:1:4: x: expected a number at least 2, found 1");
  CHECK(message("2.001", above(2)).empty());
  CHECK(message("2", above(2)) == "run.yaml:1:4: x: expected a number above 2, found 2");
  CHECK(message("0", between(0, 1)).empty());
  CHECK(message("1", between(0, 1)).empty());
  CHECK(message("-1e-3", between(0, 1)) == "run.yaml:1:4: x: expected a number between 0 and 1, found -1e-3");
  CHECK(message("0.5", inside(0, 1)).empty());
  CHECK(message("1", inside(0, 1)) == "run.yaml:1:4: x: expected a number above 0 and below 1, found 1");
  CHECK(message("4", Range{.high = 3}) == "run.yaml:1:4: x: expected a number at most 3, found 4");
  CHECK(message("inf", {}) == "run.yaml:1:4: x: expected a finite number, found inf");
  CHECK(message("-.inf", {}) == "run.yaml:1:4: x: expected a finite number, found -.inf");
  CHECK(message(".inf", at_least(2)) == "run.yaml:1:4: x: expected a finite number at least 2, found .inf");
  Options open = read("x: .inf");  // as its default is
  CHECK(std::isinf(open.real("x", std::numeric_limits<double>::infinity(), at_least(0))));
  CHECK(errors(open).empty());
  const Range rounded{.low = 0.1 + 0.2 - 0.298, .high = 80, .rounding = 1e-9};
  CHECK(message("0.0019999999999", rounded).empty());
  CHECK(message("80.00000001", rounded).empty());
  CHECK(message("81", rounded) == "run.yaml:1:4: x: expected a number between 0.002 and 80, found 81");
  CHECK(message("0.001999", rounded) == "run.yaml:1:4: x: expected a number between 0.002 and 80, found 0.001999");
  Options endless = read("x: [1, .inf]");
  endless.reals("x", {}, at_least(0));
  CHECK(errors(endless) == "run.yaml:1:8: x[1]: expected a finite number at least 0, found .inf");
  Options list = read("x: [1, 2, 0]");
  list.integers("x", {}, at_least(1));
  CHECK(errors(list) == "run.yaml:1:11: x[2]: expected an integer at least 1, found 0");
}

TEST_CASE("an interval is two numbers in order, or nothing", "[core]") {
  Options good = read("clip: [-1, 1]\nhalf: [0.5, .inf]\nempty: []");
  CHECK(good.interval("clip")->low == -1);
  CHECK(good.interval("clip")->high == 1);
  CHECK(good.interval("half")->high == std::numeric_limits<double>::infinity());
  CHECK_FALSE(good.interval("empty"));
  CHECK_FALSE(good.interval("missing"));
  CHECK(errors(good).empty());
  for (const char* text : {"clip: [1]", "clip: [1, 1]", "clip: [2, 1]", "clip: [1, 2, 3]"}) {
    Options bad = read(text);
    INFO(text);
    CHECK_FALSE(bad.interval("clip"));
    CHECK(errors(bad) == "run.yaml:1:7: clip: expected [low, high] with low < high");
  }
  Options word = read("clip: both");
  CHECK_FALSE(word.interval("clip"));
  CHECK(errors(word) == "run.yaml:1:7: clip: expected a list of numbers in [ ], found 'both'");
}

TEST_CASE("unknown choices name the nearest one, else all", "[core]") {
  Options options = read("sampling: {schedule: {type: vpp}, sampler: banana}");
  Options sampling = options.child("sampling");
  CHECK(sampling.child("schedule").choice("type", "edm", {"edm", "vp", "ve"}) == "edm");
  CHECK(sampling.child("sampler").choice("type", "heun", {"heun", "euler"}) == "heun");
  CHECK(errors(options) ==
        "run.yaml:1:29: sampling.schedule.type: unknown name 'vpp'; did you mean 'vp'?\n"
        "run.yaml:1:44: sampling.sampler.type: unknown name 'banana'; known: heun, euler");
}

TEST_CASE("keys of a plugin that is not known are not called unknown", "[core]") {
  Options options = read("{type: vpp, beta_max: 3}");
  options.choice("type", "edm", {"edm", "vp"});
  CHECK(errors(options) == "run.yaml:1:8: type: unknown name 'vpp'; did you mean 'vp'?");
}

TEST_CASE("keys that no one reads are errors, each with the nearest that someone did", "[core]") {
  Options options = read(R"(
sampling:
  grid:
    stpes: 18
    colour: red
lonely: {a: 1, b: {c: 2}}
)");
  Options grid = options.child("sampling").child("grid");
  grid.integer("steps", 1);
  grid.real("rho", 7);
  CHECK(errors(options) ==
        "run.yaml:4:5: unknown key 'stpes' in sampling.grid; did you mean 'steps'?\n"
        "run.yaml:5:5: unknown key 'colour' in sampling.grid; known: steps, rho\n"
        "run.yaml:6:1: unknown key 'lonely'; known: sampling");
}

TEST_CASE("all mistakes come together, in order of place, once each", "[core]") {
  Options options = read(R"(training:
  batch_size: many
  learning_rate: -1
  batch_size: 3
data: [1]
nmae: x
)");
  options.text("name", "");
  options.required_text("root");
  Options training = options.child("training");
  for (int i = 0; i < 2; ++i) {
    training.real("learning_rate", 1e-3, above(0));
    training.integer("batch_size", 64, at_least(1));
    options.child("data").text("type", "digits");
  }
  CHECK(errors(options) ==
        "run.yaml:1:1: root: missing; expected text\n"
        "run.yaml:2:15: training.batch_size: expected an integer, found 'many'\n"
        "run.yaml:3:18: training.learning_rate: expected a number above 0, found -1\n"
        "run.yaml:4:3: duplicate key 'batch_size', already at line 2, column 3\n"
        "run.yaml:5:7: data: expected a mapping, found a list\n"
        "run.yaml:6:1: unknown key 'nmae'; did you mean 'name'?");
  CHECK(errors(options.child("training")) == errors(options));
}

TEST_CASE("a flood of mistakes is cut", "[core]") {
  std::string text;
  for (int i = 0; i < 2000; ++i) text += format("k{}: 1\n", i);
  const std::string message = errors(read(text));
  CHECK(std::count(message.begin(), message.end(), '\n') == 50);
  CHECK(contains(message, "2000 mistakes in all"));
}

TEST_CASE("required keys are missed where their mapping stands", "[core]") {
  Options options = read("a: 1\nclassifier:\n  file:\n");
  options.integer("a", 0);
  Options classifier = options.child("classifier");
  CHECK(classifier.required_text("file").empty());
  CHECK(classifier.required_real("rate", above(0)) == 0);
  CHECK(options.child("absent").required_integer("n", at_least(2)) == 0);
  CHECK(errors(options) ==
        "run.yaml:1:1: absent.n: missing; expected an integer at least 2\n"
        "run.yaml:3:3: classifier.file: missing; expected text\n"
        "run.yaml:3:3: classifier.rate: missing; expected a number above 0");
}

TEST_CASE("a word stands for a mapping with that type", "[core]") {
  Options options = read("schedule: vp\nquoted: \"3\"\nnumber: 3\nplain: word\nlist: [a, {type: b, n: 2}, 4]");
  CHECK(options.child("schedule").choice("type", "edm", {"edm", "vp"}) == "vp");
  CHECK(options.child("schedule").keys() == std::vector<std::string>{"type"});
  CHECK(options.child("quoted").text("type", "") == "3");
  CHECK(options.child("number").text("type", "none") == "none");
  CHECK(options.child("plain").integer("n", 1) == 1);
  auto list = options.children("list");
  REQUIRE(list.size() == 3);
  CHECK(list[0].text("type", "") == "a");
  CHECK(list[1].text("type", "") == "b");
  CHECK(list[1].integer("m", 5) == 5);
  CHECK(errors(options) ==
        "run.yaml:3:9: number: expected a mapping, found 3\n"
        "run.yaml:4:8: plain: expected a mapping, found 'word'\n"
        "run.yaml:5:21: unknown key 'n' in list[1]; known: type, m\n"
        "run.yaml:5:28: list[2]: expected a mapping, found 4");
}

TEST_CASE("where and reject name place and path", "[core]") {
  Options options = read("training:\n  images: 5\n  batch_size: 8");
  Options training = options.child("training");
  const auto images = training.integer("images", 0), batch = training.integer("batch_size", 1);
  CHECK(training.where("batch_size") == "run.yaml:3:15: training.batch_size");
  CHECK(training.where("absent") == "run.yaml:2:3: training.absent");
  CHECK(training.where() == "run.yaml:2:3: training");
  CHECK(options.where() == "run.yaml:1:1");
  CHECK(Options().where("key") == "key");
  training.check(batch <= images, "batch_size", "more than the {} images", images);
  training.check(batch <= images, "batch_size", "more than the {} images", images);
  training.check(batch == 8, "batch_size", "never");
  training.reject("", "odd");
  CHECK(errors(options) ==
        "run.yaml:2:3: training: odd\n"
        "run.yaml:3:15: training.batch_size: more than the 5 images");
}

TEST_CASE("a check about a value that could not be read adds nothing", "[core]") {
  Options options = read("batch_size: many");
  options.check(options.integer("batch_size", 64) < 10, "batch_size", "too large");
  CHECK(errors(options) == "run.yaml:1:13: batch_size: expected an integer, found 'many'");
}

TEST_CASE("value() is what a reader got, its default included", "[core]") {
  Options options = read("{steps: 5, rho: many}");
  CHECK(options.value("steps") == "");  // not yet read
  options.integer("steps", 18);
  options.text("type", "karras");
  options.real("rho", 7);
  CHECK(options.value("steps") == "5");
  CHECK(options.value("type") == "karras");
  CHECK(options.value("rho") == "");
}

TEST_CASE("tables choose their entry by type", "[core]") {
  using Factory = int(Options&);
  const Entry<Factory> table[] = {{"one", "first", "-", [](Options&) { return 1; }},
                                  {"two", "second", "-", [](Options&) { return 2; }}};
  const std::span<const Entry<Factory>> entries = table;
  Options options = read("type: two"), wrong = read("type: tow");
  CHECK(chosen(entries, options, "one").make(options) == 2);
  CHECK(chosen(entries, wrong, "one").name == "one");
  CHECK(errors(wrong) == "run.yaml:1:7: type: unknown name 'tow'; did you mean 'two'?");
  CHECK(describe(entries)[1].about == "second");
}

}  // namespace edmund
