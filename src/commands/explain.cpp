#include "explain.h"

#include "edmund/app/evaluation.h"
#include "edmund/app/run.h"
#include "edmund/core/json_text.h"
#include "edmund/core/text.h"

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <utility>

namespace edmund {
namespace {

using nlohmann::ordered_json;

std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

// The widest of a column, of those that are not much wider than is usual.
template <typename Column>
std::size_t width_of(std::span<const KeyLine> lines, const Column& column, std::size_t most) {
  std::size_t width = 0;
  for (const KeyLine& line : lines)
    if (const std::size_t own = width_of(line.*column); own <= most) width = std::max(width, own);
  return width;
}

void append(std::string& out, const std::string& text, std::size_t width) {
  const std::size_t own = width_of(text);
  out += text + std::string(own < width ? width - own : 0, ' ') + "  ";
}

// Long lists, such as the names of all classes, are cut.
std::string shortened(const std::string& value) {
  constexpr std::size_t kMost = 24;
  if (!value.starts_with('[') || value.size() <= kMost) return value;
  return value.substr(0, value.rfind(' ', kMost)) + " …]";
}

std::string value_of(const OptionFacts& facts) {
  if (facts.kind == "mapping" || facts.kind == "list of mappings") return "";
  if (facts.is_needed && !facts.is_chosen && facts.value == facts.fallback) return "required";
  if (facts.value.empty()) return "-";
  return facts.is_chosen ? shortened(facts.value) : "(" + shortened(facts.value) + ")";
}

// What `--explain` is asked: a file or none, and keys of it or all.
struct Question {
  Target file;
  std::vector<std::string> keys;
};

Question question_of(const Target& given) {
  namespace fs = std::filesystem;
  std::vector<std::string> words = given.overrides;
  if (!given.path.empty()) words.insert(words.begin(), given.path);
  Question out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    const bool is_override = word.find('=') != word.npos;
    // a folder that is called like a key is no run
    const bool is_there = fs::is_directory(word) ? fs::exists(RunFolder{word}.config()) : fs::exists(word);
    const bool is_file = i == 0 && !is_override && (is_there || word.find('/') != word.npos || word.ends_with(".yaml"));
    if (is_file)
      out.file.path = word;
    else
      (is_override ? out.file.overrides : out.keys).push_back(word);
  }
  return out;
}

bool is_at_or_below(std::string_view path, std::string_view key) {
  return path.starts_with(key) && (path.size() == key.size() || path[key.size()] == '.' || path[key.size()] == '[');
}

void require_known(const std::vector<OptionFacts>& facts, std::span<const std::string> keys) {
  std::vector<std::string_view> known;
  known.reserve(facts.size());
  for (const auto& fact : facts) known.push_back(fact.path);
  for (const std::string& key : keys)
    require(std::any_of(known.begin(), known.end(), [&](std::string_view path) { return is_at_or_below(path, key); }),
            "no key '{}'{}", key, nearest_name(key, known) ? suggestion(key, known) : "");
}

}  // namespace

std::string text_of(std::span<const KeyLine> lines) {
  constexpr std::size_t kMostKey = 60, kMostValue = 28, kMostAccepts = 48;
  const std::size_t key = width_of(lines, &KeyLine::key, kMostKey),
                    value = width_of(lines, &KeyLine::value, kMostValue),
                    accepts = width_of(lines, &KeyLine::accepts, kMostAccepts);
  std::string out;
  for (const KeyLine& line : lines) {
    append(out, line.key, key);
    append(out, line.value, value);
    append(out, line.accepts, accepts);
    out += line.about;
    out.erase(out.find_last_not_of(' ') + 1);
    out += '\n';
  }
  return out;
}

std::string accepted(const OptionFacts& facts, const std::vector<Family>& all) {
  if (const Family* family = family_of(facts, all)) return format("name: edmund list {}", family->name);
  if (facts.kind == "mapping") return "section";
  constexpr std::size_t kMost = 60;
  if (facts.kind == "choice" && facts.accepts.size() > kMost) return "name";
  if (facts.kind == "choice") return facts.accepts;
  return facts.accepts.empty() ? facts.kind : format("{} {}", facts.kind, facts.accepts);
}

std::string explained(const std::vector<OptionFacts>& facts, std::span<const std::string> keys, bool as_json) {
  require_known(facts, keys);
  const std::vector<Family> all = families();
  std::vector<KeyLine> lines;
  ordered_json json = ordered_json::array();
  for (const OptionFacts& fact : facts) {
    const auto asked = [&](const std::string& key) { return is_at_or_below(fact.path, key); };
    if (!keys.empty() && std::none_of(keys.begin(), keys.end(), asked)) continue;
    lines.push_back({fact.path, value_of(fact), accepted(fact, all), fact.about});
    json.push_back({{"key", fact.path},
                    {"value", fact.value},
                    {"chosen", fact.is_chosen},
                    {"default", fact.fallback},
                    {"needed", fact.is_needed},
                    {"kind", fact.kind},
                    {"accepts", fact.accepts},
                    {"about", fact.about}});
  }
  return as_json ? json_text(json, 2) + "\n" : text_of(lines);
}

ReadConfig read_everything(const Options& root) {
  ReadConfig out;
  DatasetInfo images{.name = "images", .size = 2, .channels = 1, .height = 8, .width = 8, .num_classes = 2};
  try {
    const Experiment experiment = construct(parse(root), Needs::kData);
    images = experiment.data->info();
  } catch (const Error& error) {
    out.mistakes = error.what();  // without what is found below
  }
  read_evaluation_keys(root, images);
  try {
    root.finish();
  } catch (const Error& error) {
    out.mistakes = error.what();
  }
  out.facts = root.facts();
  return out;
}

std::vector<OptionHelp> config_help() {
  std::vector<OptionHelp> out;
  // two configs tell which defaults depend on the rest; the network is small
  const std::vector<std::string> without{"network.channels=16", "training.images=1000"},
      with{"network.channels=16", "training.images=2000", "evaluation.held_out.type=folder"};
  for (const auto& overrides : {with, without})
    merge(out, read_everything(Options::read_text("", "config", overrides)).facts);
  return without_options_of_plugins(std::move(out), families());
}

std::vector<OptionHelp> all_config_keys() {
  const std::vector<Family> all = families();
  std::vector<OptionHelp> out;
  const std::function<void(const std::string&, const std::vector<OptionHelp>&)> add =
      [&](const std::string& above, const std::vector<OptionHelp>& options) {
        for (OptionHelp help : options) {
          const Family* family = family_of(help.facts, all);
          const std::string path = above + help.facts.path;
          const auto is_same = [&](const OptionHelp& other) { return other.facts.path == path; };
          help.facts.path = path;
          if (std::none_of(out.begin(), out.end(), is_same)) out.push_back(help);
          if (!family || above == path.substr(0, path.size() - 4)) continue;
          for (const auto& entry : family->entries) add(path.substr(0, path.size() - 4), help_of(*family, entry.name));
        }
      };
  add("", config_help());
  return out;
}

void explain_config(const Target& given, bool as_json) {
  const Question question = question_of(given);
  const Target& file = question.file;
  ReadConfig config =
      read_everything(file.path.empty() ? Options::read_text("", "config", file.overrides) : options_of(file));
  if (file.path.empty() && file.overrides.empty())
    for (const OptionHelp& help : config_help())
      for (OptionFacts& fact : config.facts)
        if (help.varies && help.facts.path == fact.path) fact.value = "varies";
  std::cout << explained(config.facts, question.keys, as_json);
  if (!as_json)
    std::cout << "\n(value): a default; varies: with the rest of the config. Other names have other options: edmund "
                 "list FAMILY NAME\n"
              << std::flush;
  // without a config there is nothing to be wrong
  require(file.path.empty() || config.mistakes.empty(), "{}", config.mistakes);
}

void explain_study(const Target& given, std::string_view example, FactsOf* facts_of, bool as_json) {
  const Question question = question_of(given);
  const Target& file = question.file;
  std::vector<OptionFacts> facts = facts_of(file.path.empty() ? Options::read_text(example, "example", file.overrides)
                                                              : Options::read_file(file.path, file.overrides));
  if (file.path.empty())
    for (OptionFacts& fact : facts) {
      for (auto at = fact.path.find("[0]"); at != fact.path.npos; at = fact.path.find("[0]"))
        fact.path.erase(at + 1, 1);
      if (fact.kind == "list of mappings") fact.value.clear();
    }
  std::cout << explained(facts, question.keys, as_json);
}

std::vector<KeyLine> lines_of(const std::vector<OptionHelp>& options, const std::vector<Family>& all) {
  std::vector<KeyLine> out;
  for (const auto& [facts, varies] : options) {
    if (facts.path == "type") continue;
    const std::string fallback = varies                   ? "varies"
                                 : facts.is_needed        ? "required"
                                 : facts.fallback.empty() ? "-"
                                                          : facts.fallback;
    out.push_back({"  " + facts.path, facts.kind == "mapping" ? "" : fallback, accepted(facts, all), facts.about});
  }
  return out;
}

ordered_json json_of(const std::vector<OptionHelp>& options) {
  ordered_json out = ordered_json::array();
  for (const auto& [facts, varies] : options)
    if (facts.path != "type")
      out.push_back({{"key", facts.path},
                     {"default", facts.fallback},
                     {"varies", varies},
                     {"needed", facts.is_needed},
                     {"kind", facts.kind},
                     {"accepts", facts.accepts},
                     {"about", facts.about}});
  return out;
}

}  // namespace edmund
