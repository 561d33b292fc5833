// What people chose, beside what was filled in.
#include "core/helpers.h"
#include "edmund/core/options.h"
#include "support/catch.h"

#include <algorithm>

namespace edmund {
namespace {

const std::vector<std::string> kLogSnr = {"grid.type=log_snr"};

}  // namespace

TEST_CASE("chosen() is the document alone, and reads as the same document", "[core]") {
  const std::vector<std::string> overrides = {"grid.rho=3", "note=\"1e6\"", "words=[a, 'b, c', ~]"};
  Options options =
      Options::read_text("{name: x, grid: {type: karras, steps: 4}, sampler: heun}", "run.yaml", overrides);
  CHECK(options.real("learning_rate", 1e-3) == 1e-3);
  Options grid = options.child("grid");
  CHECK(grid.real("sigma_max", 80) == 80);
  const std::string chosen = options.chosen();
  CHECK(
      chosen ==
      "name: x\ngrid:\n  type: karras\n  steps: 4\n  rho: 3\nsampler: heun\nnote: \"1e6\"\nwords: [a, \"b, c\", ~]\n");
  CHECK(Options::read_text(chosen, "again").chosen() == chosen);
  CHECK(Options().chosen().empty());
}

TEST_CASE("a key that a mapping of another type left is taken over where a reader asks for it", "[core]") {
  Options options = Options::read_text("{grid: {type: karras, steps: 4, rho: 5}}", "run.yaml", kLogSnr);
  Options grid = options.child("grid");
  CHECK(grid.text("type", "") == "log_snr");
  CHECK(grid.take_over("steps"));
  CHECK_FALSE(grid.take_over("steps"));  // it stands here now
  CHECK_FALSE(grid.take_over("sigma"));
  CHECK(grid.integer("steps", 18) == 4);
  CHECK(grid.real("rho", 7) == 7);
  options.finish();
  CHECK(options.chosen() == "grid:\n  type: log_snr\n  steps: 4\n");
  REQUIRE(options.notes().size() == 1);
  CHECK(options.notes()[0] == "grid: another type, log_snr, so steps: 4 is kept and rho: 5 is dropped");
}

TEST_CASE("a chosen value of the new type stands before one that was left", "[core]") {
  const std::vector<std::string> overrides = {"grid={type: log_snr, steps: 9}"};
  Options options = Options::read_text("{grid: {type: karras, steps: 4}}", "run.yaml", overrides);
  Options grid = options.child("grid");
  CHECK_FALSE(grid.take_over("steps"));
  CHECK(grid.integer("steps", 18) == 9);
}

TEST_CASE("keys below no type are left aside by a type that does not know them", "[core]") {
  const std::vector<std::string> overrides = {"preconditioning.type=v"};
  Options options = Options::read_text("{preconditioning: {sigma_data: 0.5, noise_input: log}}", "run.yaml", overrides);
  Options section = options.child("preconditioning");
  CHECK(section.choice("type", "edm", {"edm", "v"}) == "v");
  CHECK(section.text("noise_input", "") == "log");
  CHECK_NOTHROW(options.finish());
  CHECK(options.notes() == std::vector<std::string>{"preconditioning: another type, v, so sigma_data: 0.5 is dropped"});
  CHECK(options.chosen() == "preconditioning:\n  noise_input: log\n  type: v\n");

  Options wrong = Options::read_text("{preconditioning: {type: v, sigma_data: 0.5}}", "run.yaml");
  wrong.child("preconditioning").text("type", "edm");
  CHECK_THROWS(wrong.finish());  // beside its own type it is a mistake
}

TEST_CASE("what was set stands as a value among comments", "[core]") {
  Options options = Options::read_text("{name: x}", "run.yaml");
  options.text("name", "");
  Options image = options.child("image");
  image.integer("height", 8);
  image.integer("width", 8);
  CHECK(options.annotated() == "name: x\n# image:\n  # height: 8\n  # width: 8\n");
  image.set("height", image.value("height"), "data");
  CHECK(options.annotated() == "name: x\nimage:\n  height: 8\n  # width: 8\n");
}

TEST_CASE("facts tell what each reader asked for", "[core]") {
  Options options = Options::read_text("{grid: {steps: 4}, rate: -1}", "run.yaml");
  options.real("rate", 0.5, above(0), "step size");
  Options grid = options.child("grid");
  grid.integer("steps", 18, between(1, 100), "noise levels");
  grid.choice("type", "a", {"a", "b"});
  grid.required_text("root", "a folder");
  const auto facts = options.facts();
  REQUIRE(facts.size() == 5);
  CHECK(facts[0].path == "rate");
  CHECK(facts[0].kind == "number");
  CHECK(facts[0].accepts == "above 0");
  CHECK(facts[0].fallback == "0.5");
  CHECK(facts[0].value.empty());  // a mistake
  CHECK(facts[0].about == "step size");
  CHECK(facts[1].kind == "mapping");
  CHECK(facts[2].path == "grid.steps");
  CHECK(facts[2].value == "4");
  CHECK(facts[2].is_chosen);
  CHECK(facts[3].accepts == "a | b");
  CHECK(facts[3].value == "a");
  CHECK_FALSE(facts[3].is_chosen);
  CHECK(facts[4].is_needed);
}

}  // namespace edmund
