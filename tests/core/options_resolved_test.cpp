#include "core/helpers.h"
#include "edmund/core/options.h"
#include "support/catch.h"

#include <limits>

namespace edmund {
namespace {

struct Values {
  double rate = 0, infinite = 0;
  std::int64_t images = 0;
  bool flip = false;
  std::string name, empty, number, word, lines;
  std::vector<double> reals;
  std::vector<std::int64_t> sizes;
  std::vector<std::string> words;
  std::string schedule;
  std::vector<std::string> cells;
  bool operator==(const Values&) const = default;
};

/// Reads everything that Options can read.
Values read_all(Options& options) {
  Values out;
  out.name = options.text("name", "none");
  Options training = options.child("training");
  out.images = training.integer("images", 1000, at_least(1));
  out.rate = training.real("learning_rate", 1e-3, above(0));
  training.child("unused").keys();
  out.flip = options.child("data").flag("flip", false);
  out.empty = options.text("empty", "");
  out.number = options.text("number", "010");
  out.word = options.text("word", "true");
  out.lines = options.text("lines", "a: [b\n\"c\\ #\x01 σ");
  out.infinite = options.real("infinite", -std::numeric_limits<double>::infinity());
  out.reals = options.reals("reals", {0.1, std::numeric_limits<double>::infinity()});
  out.sizes = options.integers("sizes", {});
  out.words = options.texts("words", {"1e6", "null", "plain", "two words", "-", "~", "no", "", "a:b", "- x", "{}"});
  out.schedule = options.child("schedule").choice("type", "edm", {"edm", "vp"});
  for (Options& cell : options.children("cells")) {
    out.cells.push_back(cell.text("label", "x"));
    cell.child("inner").integer("n", 3);
  }
  return out;
}

}  // namespace

TEST_CASE("a resolved config gives the same values, and itself", "[core]") {
  for (const char* text :
       {"", "name: run\nschedule: vp\ncells: [{label: \"010\"}, {inner: {n: 4}}]\n",
        "cells: []\nnumber: 1_0\nlearning: 3\nempty: \"\"\ntraining: {images: 1e6, learning_rate: 0.1}\n"}) {
    Options first = Options::read_text(text, "a.yaml");
    const Values values = read_all(first);
    Options second = Options::read_text(first.resolved(), "b.yaml");
    INFO(first.resolved());
    CHECK(read_all(second) == values);
    CHECK_NOTHROW(second.finish());
    CHECK(second.resolved() == first.resolved());
  }
}

TEST_CASE("a resolved config has its keys in the order of reading", "[core]") {
  Options options = Options::read_text("b: {y: 2, x: 1}\na: [1, 2]\nlist: [{k: word}, {}]", "a.yaml");
  options.reals("a", {});
  options.text("absent", "010");
  Options b = options.child("b");
  b.integer("x", 0);
  options.flag("flag", true);
  b.real("y", 0);
  for (Options& item : options.children("list")) item.text("k", "default");
  CHECK(options.resolved() ==
        "a: [1, 2]\n"
        "absent: \"010\"\n"
        "b:\n"
        "  x: 1\n"
        "  y: 2\n"
        "flag: true\n"
        "list:\n"
        "  - k: word\n"
        "  - k: default\n");
  CHECK(b.resolved() == "x: 1\ny: 2\n");
}

TEST_CASE("a default outside of its range means not given and is not written", "[core]") {
  Options options;
  options.integer("limit", -1, at_least(0));
  options.choice("mode", "", {"a", "b"});
  options.reals("sizes", {-1}, at_least(0));
  options.real("nan", std::numeric_limits<double>::quiet_NaN());
  options.integer("kept", 2, at_least(0));
  CHECK(options.resolved() == "kept: 2\n");
}

}  // namespace edmund
