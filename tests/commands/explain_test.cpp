// What edmund says of its own keys: list NAME, --explain, completion, man.
#include "explain.h"

#include "edmund/commands/command.h"
#include "edmund/studies/ablate.h"
#include "edmund/studies/compare.h"
#include "support/catch.h"
#include "support/process.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

namespace edmund::testing {
namespace {

using Catch::Matchers::ContainsSubstring;
using nlohmann::json;

// The line of a text that begins with this word.
std::string line_of(const std::string& text, const std::string& word) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    const std::size_t begin = std::min(line.find_first_not_of(' '), line.size());
    if (line.compare(begin, word.size() + 1, word + " ") == 0) return line;
    at = end + 1;
  }
  return "";
}

// What bash offers for this line.
std::string completed(const std::filesystem::path& folder, const std::string& line) {
  write_text(folder / "complete.sh",
             "source ./edmund.bash\nCOMP_LINE='" + line +
                 "'\nCOMP_POINT=${#COMP_LINE}\n_edmund 2>/dev/null\necho \"${COMPREPLY[*]}\"\n");
  return edmund_run(folder, "./complete.sh", "bash").output;
}

}  // namespace

TEST_CASE("every key of every plugin says in one line what it is", "[app]") {
  std::size_t options = 0;
  for (const Family& family : families()) {
    if (family.make.empty()) continue;
    for (const Description& entry : family.entries) {
      INFO(family.name << " " << entry.name);
      const auto help = help_of(family, entry.name);
      REQUIRE(std::any_of(help.begin(), help.end(), [](const OptionHelp& one) { return one.facts.path == "type"; }));
      for (const OptionHelp& one : help) {
        INFO(one.facts.path);
        CHECK(one.facts.about.size() >= 4);
        CHECK(one.facts.about.find('\n') == std::string::npos);
        CHECK(!one.facts.kind.empty());
        ++options;
      }
    }
  }
  CHECK(options > 250);
}

TEST_CASE("every key of configs, comparisons and ablations says in one line what it is", "[app]") {
  std::vector<OptionFacts> all;
  for (const OptionHelp& help : all_config_keys()) all.push_back(help.facts);
  CHECK(all.size() > 200);
  const auto add = [&](const std::vector<OptionFacts>& more) { all.insert(all.end(), more.begin(), more.end()); };
  add(comparison_facts(Options::read_text(kComparisonExample, "comparison")));
  add(ablation_facts(Options::read_text(kAblationExample, "ablation")));
  for (const OptionFacts& facts : all) {
    INFO(facts.path);
    CHECK(facts.about.size() >= 4);
    CHECK(!facts.kind.empty());
  }
}

TEST_CASE("a plugin's options are what its factory reads, whatever needs files or other choices", "[app]") {
  const auto paths = [](std::string_view wanted, std::string_view name) {
    std::set<std::string> out;
    for (const Family& family : families())
      if (family.name == wanted)
        for (const OptionHelp& help : help_of(family, name)) out.insert(help.facts.path);
    return out;
  };
  using Paths = std::set<std::string>;
  CHECK(paths("samplers", "heun") == Paths{"type", "alpha", "S_churn", "S_min", "S_max", "S_noise", "final"});
  CHECK(paths("grids", "explicit") == Paths{"type", "times", "timesteps", "sigmas", "unit"});
  CHECK(paths("grids", "file") == Paths{"type", "file", "unit"});
  // read with other betas than the default too
  CHECK(paths("schedules", "ddpm") ==
        Paths{"type", "betas", "N", "beta_start", "beta_end", "interpolation", "zero_terminal_snr", "scale"});
  CHECK(paths("schedules", "vp") == Paths{"type", "beta_min", "beta_max", "t_min", "sigma_min", "sigma_max", "scale"});
  // of the schedule that it chooses, the type alone
  CHECK(paths("noise-levels", "schedule") == Paths{"type", "schedule", "schedule.type", "t_min", "t_max"});
  CHECK(paths("features", "inception") == Paths{"type", "file", "resize"});
  CHECK(paths("features", "classifier") == Paths{"type", "channels", "features", "epochs", "learning_rate"});
  CHECK(paths("datasets", "folder").count("root") == 1);
}

TEST_CASE("list FAMILY NAME shows options with default, range and meaning", "[app]") {
  const TemporaryFolder folder;
  const Outcome text = edmund_run(folder.path(), "list samplers heun");
  CHECK(text.code == 0);
  CHECK_THAT(text.output, ContainsSubstring("Karras et al. 2022"));
  const std::string alpha = line_of(text.output, "alpha");
  CHECK_THAT(alpha,
             ContainsSubstring(" 1 ") && ContainsSubstring("above 0 and at most 1") && ContainsSubstring("Heun"));
  const json grid = json::parse(edmund_run(folder.path(), "list grids karras --json").output);
  const auto option = [&](const std::string& key) {
    return *std::find_if(grid["options"].begin(), grid["options"].end(),
                         [&](const json& one) { return one["key"] == key; });
  };
  CHECK(option("rho")["default"] == "7");
  CHECK(option("rho")["varies"] == false);
  CHECK(option("sigma_min")["varies"] == true);  // with the schedule
  CHECK_THAT(edmund_run(folder.path(), "list presets ddpm-paper").output, ContainsSubstring("variance: beta"));
  CHECK_THAT(line_of(edmund_run(folder.path(), "list datasets folder").output, "root"),
             ContainsSubstring(" required ") && ContainsSubstring("path") && ContainsSubstring("a folder of images"));
  CHECK(edmund_run(folder.path(), "list adm").output == edmund_run(folder.path(), "list networks adm").output);
  const Outcome several = edmund_run(folder.path(), "list edm");
  CHECK(several.code == 2);
  CHECK_THAT(several.output, ContainsSubstring("schedules") && ContainsSubstring("preconditionings"));
  const Outcome wrong = edmund_run(folder.path(), "list samplers huen");
  CHECK(wrong.code == 2);
  CHECK_THAT(wrong.output, ContainsSubstring("did you mean 'heun'"));
}

TEST_CASE("config --explain has every key with its value, and tells defaults from choices", "[app]") {
  const TemporaryFolder folder;
  write_idx_data(folder.path());
  write_text(folder.path() / "config.yaml", small_config());
  const Outcome all = edmund_run(folder.path(), "config --explain config.yaml");
  REQUIRE(all.code == 0);
  CHECK_THAT(line_of(all.output, "training.batch_size"), ContainsSubstring(" 16 ") && ContainsSubstring("integer"));
  CHECK_THAT(line_of(all.output, "training.beta1"), ContainsSubstring("(0.9)"));
  CHECK_THAT(line_of(all.output, "sampling.grid.rho"), ContainsSubstring("(7)"));
  CHECK_THAT(line_of(all.output, "sampling.grid.sigma_min"), ContainsSubstring("number between 0.002 and 80 "));
  CHECK_THAT(line_of(all.output, "evaluation.features.dims"), ContainsSubstring(" 4 "));
  CHECK_THAT(line_of(all.output, "data.labels"), ContainsSubstring("labels.idx"));
  CHECK_THAT(line_of(all.output, "evaluation.held_out"), ContainsSubstring("never saw"));
  // every key that `config` prints is explained
  const json values = json::parse(edmund_run(folder.path(), "config config.yaml --json").output);
  for (const auto& [key, value] : values.items()) {
    INFO(key);
    CHECK(!line_of(all.output, key).empty());
  }

  const Outcome some = edmund_run(folder.path(), "config --explain config.yaml sampling.grid training.images=1e3 name");
  CHECK(line_of(some.output, "name").find("small") != std::string::npos);
  CHECK(!line_of(some.output, "sampling.grid.steps").empty());
  CHECK(line_of(some.output, "training.images").empty());
  const Outcome wrong = edmund_run(folder.path(), "config --explain config.yaml training.imags");
  CHECK(wrong.code == 2);
  CHECK_THAT(wrong.output, ContainsSubstring("did you mean 'training.images'"));
}

TEST_CASE("config --explain explains without a config, and a wrong one before it refuses it", "[app]") {
  const TemporaryFolder folder;
  const Outcome none = edmund_run(folder.path(), "config --explain training.images");
  CHECK(none.code == 0);
  CHECK_THAT(line_of(none.output, "training.images"), ContainsSubstring("length of the run"));
  write_text(folder.path() / "config.yaml",
             "data: {type: folder, root: nowhere}\ntraining: {images: 10, batch: 2}\nevaluation: {features: {type: "
             "pca, dim: 3}}\n");
  const Outcome wrong = edmund_run(folder.path(), "config --explain config.yaml");
  CHECK(wrong.code == 2);
  CHECK_THAT(line_of(wrong.output, "data.root"), ContainsSubstring("nowhere"));
  CHECK(!line_of(wrong.output, "sampling.sampler.final").empty());
  CHECK_THAT(wrong.output, ContainsSubstring("unknown key 'batch' in training"));
  CHECK_THAT(wrong.output, ContainsSubstring("unknown key 'dim' in evaluation.features"));
}

TEST_CASE("compare and ablate explain their files", "[app]") {
  const TemporaryFolder folder;
  const Outcome compare = edmund_run(folder.path(), "compare --explain");
  CHECK(compare.code == 0);
  for (const char* key : {"models[].run", "variants[].sampling", "distance.tolerance", "nfe"}) {
    INFO(key);
    CHECK(!line_of(compare.output, key).empty());
  }
  write_text(folder.path() / "ablation.yaml",
             "{name: mine, config: x.yaml, arms: [{name: a}, {name: b, set: [seed=1]}]}");
  const Outcome ablate = edmund_run(folder.path(), "ablate --explain ablation.yaml");
  CHECK(ablate.code == 0);
  CHECK_THAT(line_of(ablate.output, "arms[1].set"), ContainsSubstring("seed=1"));
  CHECK_THAT(line_of(ablate.output, "seeds"), ContainsSubstring("([0])"));
  CHECK_THAT(line_of(ablate.output, "compare.images"), ContainsSubstring("(1000)"));
  for (const char* command : {"compare", "ablate", "config"}) {
    const Outcome without = edmund_run(folder.path(), command);
    CHECK(without.code == 2);
    CHECK_THAT(without.output, ContainsSubstring("required"));
  }
}

TEST_CASE("bash completes commands, flags, names, keys and values", "[app]") {
  const TemporaryFolder folder;
  write_text(folder.path() / "edmund.bash", edmund_run(folder.path(), "completion bash").output);
  CHECK(completed(folder.path(), "edmund tra") == "train\n");
  CHECK(completed(folder.path(), "edmund sample --inv") == "--invert\n");
  CHECK(completed(folder.path(), "edmund list sam") == "samplers\n");
  CHECK(completed(folder.path(), "edmund list samplers heu") == "heun\n");
  CHECK_THAT(completed(folder.path(), "edmund train x.yaml training.learning_rate_r"),
             ContainsSubstring("training.learning_rate_ramp="));
  CHECK_THAT(completed(folder.path(), "edmund train x.yaml sampling.sampler.S_ch"), ContainsSubstring("S_churn="));
  CHECK(completed(folder.path(), "edmund train x.yaml sampling.sampler.type=unip") == "unipc\n");
  CHECK(completed(folder.path(), "edmund train x.yaml training.flip=") == "true false\n");
  CHECK(completed(folder.path(), "edmund train conf") == "\n");  // files are the shell's own
}

TEST_CASE("zsh and fish are offered every command and key", "[app]") {
  const TemporaryFolder folder;
  for (const std::string shell : {"zsh", "fish"}) {
    const std::string text = edmund_run(folder.path(), "completion " + shell).output;
    for (const Command& command : command_table()) CHECK_THAT(text, ContainsSubstring(std::string(command.name)));
    CHECK(text.find('`') == std::string::npos);  // zsh would run it
    CHECK_THAT(text, ContainsSubstring("sampling.sampler.S_churn=") && ContainsSubstring("dpmpp_2m"));
    write_text(folder.path() / shell, text);
    if (edmund_run(folder.path(), "--version", shell).code == 0)
      CHECK(edmund_run(folder.path(), "-n " + shell, shell).output.empty());
  }
  CHECK(edmund_run(folder.path(), "completion csh").code == 2);
}

TEST_CASE("the manual page names every command and flag", "[app]") {
  const TemporaryFolder folder;
  const std::string page = edmund_run(folder.path(), "man").output;
  CHECK(page.starts_with(".TH EDMUND 1"));
  for (const Command& command : command_table()) {
    CLI::App app;
    command.make(app);
    for (const CLI::Option* option : app.get_options())
      for (const std::string& name : option->get_lnames()) {
        std::string flag = "\\-\\-";
        for (const char c : name) flag += c == '-' ? std::string("\\-") : std::string(1, c);
        CHECK_THAT(page, ContainsSubstring(flag));
      }
  }
  CHECK_THAT(page, ContainsSubstring("sampling.guidance.weight"));
}

}  // namespace edmund::testing
