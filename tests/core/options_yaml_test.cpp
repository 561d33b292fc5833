#include "core/helpers.h"
#include "edmund/core/options.h"
#include "support/catch.h"

#include <chrono>

namespace edmund {
namespace {

using testing::contains;

std::string error(std::string_view text) {
  return testing::error_of([&] { Options::read_text(text, "run.yaml"); });
}

#ifdef __SANITIZE_ADDRESS__
constexpr int kSlower = 10;  // than without the sanitizer
#else
constexpr int kSlower = 1;
#endif

/// The same, of a text that must be refused within a second.
std::string quick_error(std::string_view text) {
  const auto start = std::chrono::steady_clock::now();
  std::string message = error(text);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(kSlower));
  CHECK(message.find('\n') == message.npos);
  CHECK(message.size() < 400);
  return message;
}

}  // namespace

TEST_CASE("an empty file is an empty mapping", "[core]") {
  for (const char* text : {"", "\n\n", "# nothing\n", "---\n", "null\n", "{}", "\xEF\xBB\xBF"}) {
    INFO(text);
    Options options = Options::read_text(text, "run.yaml");
    CHECK(options.integer("a", 3) == 3);
    CHECK_NOTHROW(options.finish());
  }
}

TEST_CASE("line ends and marks of other systems are read", "[core]") {
  Options options = Options::read_text(
      "\xEF\xBB\xBF"
      "a: 1\r\nb: {c: 2}\r\n",
      "run.yaml");
  CHECK(options.integer("a", 0) == 1);
  CHECK(options.child("b").integer("c", 0) == 2);
  CHECK_NOTHROW(options.finish());
}

TEST_CASE("aliases are expanded", "[core]") {
  Options options = Options::read_text("a: &x {n: 1}\nb: *x\nc: [*x, *x]\n", "run.yaml");
  CHECK(options.child("a").integer("n", 0) == 1);
  CHECK(options.child("b").integer("n", 0) == 1);
  for (Options& item : options.children("c")) CHECK(item.integer("n", 0) == 1);
  CHECK_NOTHROW(options.finish());
}

TEST_CASE("wrong syntax is told in one line with its place", "[core]") {
  CHECK(quick_error("a: [1, 2\nb: 3") == "run.yaml:2:2: expected a comma or the closing ] of a list");
  CHECK(quick_error("a: {b: 1\n") == "run.yaml:2:1: expected a comma or the closing } of a mapping");
  CHECK(quick_error("a: [b\n") == "run.yaml:2:1: expected a comma or the closing ] of a list");
  CHECK(quick_error("a: 1\n  b: 2").starts_with("run.yaml:2:4: a ': ' where no key can stand"));
  CHECK(quick_error("a:\n    b: 1\n  c: 2").starts_with("run.yaml:3:3: expected the next key"));
  CHECK(quick_error("a: 1\nb: \"open\nc: 3\n") == "run.yaml:2:1: a quote is never closed");
  CHECK(quick_error("a: 1\nb: 'open") == "run.yaml:2:1: a quote is never closed");
  CHECK(contains(quick_error("a: b: c"), "run.yaml:1:"));
  CHECK(quick_error("a: 1\nb:\n\tc: 2\n") == "run.yaml:3:1: indented by a tab; YAML wants spaces");
  CHECK(quick_error("a: *x\n").starts_with("run.yaml:1:4: "));
  CHECK(quick_error("a: &x [*x]\n").starts_with("run.yaml:1:8: "));
}

TEST_CASE("what is no config is refused", "[core]") {
  CHECK(quick_error("- a\n- b\n") == "run.yaml:1:1: expected a mapping (lines of `key: value`), found a list");
  CHECK(quick_error("just words\n") == "run.yaml:1:1: expected a mapping (lines of `key: value`), found 'just words'");
  CHECK(quick_error("a: 1\n---\nb: 2\n") == "run.yaml:3:1: expected the end, found another YAML document");
  CHECK(contains(quick_error("? [a]\n: 1\n"), "expected a key, found a list or mapping"));
  CHECK(contains(quick_error("~: 1\n"), "a key is missing"));
  CHECK(contains(quick_error("\"\": 1\n"), "a key is missing"));
  CHECK(contains(quick_error("a: !!python/object x\n"), "run.yaml:1:4: a YAML tag"));
  CHECK(contains(quick_error("a: !custom {b: 1}\n"), "a YAML tag"));
  CHECK(quick_error(std::string_view("a: 1\nb: \0", 9)) ==
        "run.yaml:2:4: a control character (code 0): not a YAML text file");
  CHECK(contains(quick_error("a: \xFF\xFE"), "not UTF-8"));
  CHECK(contains(quick_error("\x89PNG\r\n\x1a\n"), "not a YAML text file"));
}

TEST_CASE("files of absurd size, depth or count are refused in no time", "[core]") {
  CHECK(contains(quick_error(std::string((1 << 20) + 1, ' ')), "more than the 1048576 that are allowed"));
  CHECK(contains(quick_error("a: " + std::string(400, '[') + std::string(400, ']')), "nested deeper than 32 levels"));
  CHECK(contains(quick_error(std::string(1 << 20, '[')), "run.yaml:1:"));
  CHECK(contains(quick_error(std::string(1 << 20, '{')), "run.yaml:1:"));
  std::string dashes;
  for (int i = 0; i < 300'000; ++i) dashes += "- ";
  CHECK(contains(quick_error(dashes), "nested deeper than 32 levels"));
  std::string steps;
  for (int i = 0; i < 1000; ++i) steps += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
  CHECK(contains(quick_error(steps), "nested deeper than 32 levels"));
  std::string keys;
  for (int i = 0; i < 20'000; ++i) keys += format("k{}: 1\n", i);
  CHECK(contains(quick_error(keys), "more than 10000 keys"));
  std::string items = "a: [";
  for (int i = 0; i < 200'000; ++i) items += "1,";
  CHECK(contains(quick_error(items + "1]"), "more than 100000 values"));
}

TEST_CASE("aliases of aliases do not explode", "[core]") {
  std::string laughs = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n";
  for (int i = 1; i < 10; ++i) {
    laughs += format("a{}: &a{} [", i, i);
    for (int j = 0; j < 10; ++j) laughs += format("*a{}{}", i - 1, j < 9 ? ", " : "]\n");
  }
  CHECK(contains(quick_error(laughs), "more than 100000 values, aliases expanded"));
  std::string tower = "a0: &a0 [x]\n";
  for (int i = 1; i < 40; ++i) tower += format("a{}: &a{} [*a{}]\n", i, i, i - 1);
  CHECK(contains(quick_error(tower), "nested deeper than 32 levels"));
}

TEST_CASE("duplicate keys are mistakes beside the others and the first counts", "[core]") {
  Options options = Options::read_text("a: 1\nb: {x: 1, x: 2}\na: 3\n", "run.yaml");
  CHECK(options.integer("a", 0) == 1);
  CHECK(options.child("b").integer("x", 0) == 1);
  CHECK(testing::error_of([&] { options.finish(); }) ==
        "run.yaml:2:11: duplicate key 'x', already at line 2, column 5\n"
        "run.yaml:3:1: duplicate key 'a', already at line 1, column 1");
}

TEST_CASE("no single damaged byte of a config does worse than an Error", "[core]") {
  const std::string good =
      "base: []\na: &x {b: [1, \"two\", 'three'], c: | \n    text\n  }\nd: *x\ne:\n  - f: 1\n    g: ~\n  - h\n";
  const std::string bytes = std::string("\0\t\n \"'[]{},:#&*!|>%@`?-~\\\x7f\xff", 27) + "a0";
  int refused = 0;
  for (std::size_t at = 0; at < good.size(); ++at)
    for (const char byte : bytes) {
      std::string text = good;
      text[at] = byte;
      try {
        Options options = Options::read_text(text, "run.yaml");
        options.resolved();
        options.finish();
      } catch (const Error&) {
        ++refused;
      }
    }
  CHECK(refused > 1000);
}

}  // namespace edmund
