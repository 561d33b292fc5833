#include "schema.h"

#include "edmund/core/text.h"
#include "edmund/studies/ablate.h"
#include "edmund/studies/compare.h"
#include "explain.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

namespace edmund {
namespace {

using nlohmann::ordered_json;

// The next word of `text`, which loses it.
std::string_view word_of(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  const std::string_view word = text.substr(0, text.find(' '));
  text.remove_prefix(word.size());
  return word;
}

// "at least 1", "above 0 and at most 1", "between 0 and 1" as limits.
void add_limits(ordered_json& schema, std::string_view accepts) {
  while (!accepts.empty()) {
    const std::string_view word = word_of(accepts);
    const auto number = [&] { return parse_real(word_of(accepts)).value_or(0.0); };
    if (word == "at") {
      const bool is_low = word_of(accepts) == "least";
      schema[is_low ? "minimum" : "maximum"] = number();
    } else if (word == "above") {
      schema["exclusiveMinimum"] = number();
    } else if (word == "below") {
      schema["exclusiveMaximum"] = number();
    } else if (word == "between") {
      schema["minimum"] = number();
      word_of(accepts);  // and
      schema["maximum"] = number();
    }
  }
}

ordered_json number(std::string_view type, std::string_view accepts) {
  ordered_json out = {{"type", type}};
  add_limits(out, accepts);
  return out;
}

const ordered_json kText = {{"type", {"string", "number", "boolean"}}};  // any scalar is a text

// Of a value that is there; null stands for a missing one.
ordered_json of_kind(const OptionFacts& facts) {
  const std::string& kind = facts.kind;
  if (kind == "number" || kind == "integer") return number(kind, facts.accepts);
  if (kind == "true or false") return {{"type", "boolean"}};
  if (kind == "choice") return {{"enum", alternatives(facts.accepts)}};
  if (kind == "list of numbers") return {{"type", "array"}, {"items", number("number", facts.accepts)}};
  if (kind == "list of integers") return {{"type", "array"}, {"items", number("integer", facts.accepts)}};
  if (kind == "list of texts") return {{"type", "array"}, {"items", kText}};
  if (kind == "[low, high]") return {{"type", "array"}, {"items", {{"type", "number"}}}, {"maxItems", 2}};
  if (kind == "mapping") return {{"type", "object"}};
  if (kind == "list of mappings")
    return {{"type", "array"}, {"items", {{"type", "object"}}}};  // any keys, until some are known
  return kText;
}

// A default, from YAML as the readers write it.
ordered_json value_of(const std::string& yaml) {
  const ordered_json value = ordered_json::parse(yaml, nullptr, /*allow_exceptions=*/false);
  return value.is_discarded() ? ordered_json(yaml) : value;
}

ordered_json described(const OptionHelp& help) {
  ordered_json out = of_kind(help.facts);
  if (out.contains("enum"))
    out["enum"].push_back(nullptr);
  else if (out["type"].is_array())
    out["type"].push_back("null");
  else
    out["type"] = {out["type"], "null"};
  // a mapping, or a number in its place
  if (help.facts.path == "training.loss_scale") out["type"].push_back("number");
  if (!help.facts.about.empty()) out["description"] = help.facts.about;
  if (!help.varies && !help.facts.fallback.empty()) out["default"] = value_of(help.facts.fallback);
  return out;
}

std::string reference(const Family& family) { return format("#/$defs/{}", family.name); }

// Where the option of this path stands in an object of properties; "list[0].key" leads into the
// list's items.
ordered_json& place_of(ordered_json& object, std::string_view path) {
  const std::string_view key = path.substr(0, path.find_first_of(".["));
  ordered_json& property = object["properties"][std::string(key)];
  path.remove_prefix(key.size());
  const bool is_item = path.starts_with('[');
  if (is_item) path.remove_prefix(path.find(']') + 1);
  if (path.empty()) return property;
  if (is_item) property["items"]["additionalProperties"] = false;
  return place_of(is_item ? property["items"] : property, path.substr(1));
}

// The names that a list of this path has: "metrics", "evaluation.metrics". Null for other lists.
const Family* names_of_list(const OptionFacts& facts, const std::vector<Family>& all) {
  const auto found = std::ranges::find(all, facts.path.substr(facts.path.rfind('.') + 1), &Family::name);
  return facts.kind != "list of texts" || found == all.end() ? nullptr : &*found;
}

// Options as an object's properties, nested as their paths are.
ordered_json object_of(const std::vector<OptionHelp>& options, const std::vector<Family>& all) {
  ordered_json out = {{"type", "object"}, {"properties", ordered_json::object()}, {"additionalProperties", false}};
  for (const OptionHelp& help : options) {
    const Family* family = family_of(help.facts, all);
    std::string_view path = help.facts.path;
    if (family) path.remove_suffix(5);
    ordered_json& property = place_of(out, path);
    if (family) {
      const ordered_json about = property.value("description", ordered_json());
      property = {{"$ref", reference(*family)}};
      if (!about.is_null()) property["description"] = about;
    } else {
      property = described(help);
      if (help.facts.kind == "mapping") property["additionalProperties"] = false;
    }
    if (const Family* list = names_of_list(help.facts, all)) {
      property["items"] = {{"enum", ordered_json::array()}};
      for (const Description& entry : list->entries) property["items"]["enum"].push_back(entry.name);
    }
  }
  return out;
}

// A name, or a mapping for each name.
ordered_json schema_of(const Family& family, const std::vector<Family>& all) {
  ordered_json names = {{"enum", ordered_json::array()}}, out;
  std::string fallback;
  for (const Description& entry : family.entries) {
    auto options = help_of(family, entry.name);
    const auto type =
        std::find_if(options.begin(), options.end(), [](const auto& o) { return o.facts.path == "type"; });
    if (type != options.end()) {
      fallback = type->facts.fallback;
      options.erase(type);
    }
    ordered_json object = object_of(options, all);
    const std::string about = format("{}{}", entry.about, entry.source == "-" ? "" : format(" ({})", entry.source));
    const ordered_json constant = {{"const", entry.name}, {"description", about}};
    object["title"] = entry.name;
    object["description"] = about;
    object["properties"]["type"] = constant;
    if (entry.name != fallback) object["required"] = {"type"};
    names["enum"].push_back(entry.name);
    out["oneOf"].push_back(std::move(object));
  }
  out["oneOf"].insert(out["oneOf"].begin(), std::move(names));
  out["oneOf"].push_back({{"type", "null"}});
  return out;
}

// A whole file of these options.
ordered_json schema_of_file(std::string_view title, std::string_view about, const std::vector<OptionHelp>& options) {
  const std::vector<Family> all = families();
  ordered_json out = {
      {"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"title", title}, {"description", about}};
  out.update(object_of(options, all));
  out["properties"]["base"] = {{"type", {"string", "array"}},
                               {"items", {{"type", "string"}}},
                               {"description", "files that this one is laid over, relative to it"}};
  for (const Family& family : all)
    if (!family.make.empty()) out["$defs"][std::string(family.name)] = schema_of(family, all);
  return out;
}

// A study's file. Where a variant is sampled, a config's `sampling` stands.
ordered_json schema_of_study(std::string_view title, std::string_view about, const std::vector<OptionFacts>& facts) {
  std::vector<OptionHelp> options;
  merge(options, facts);
  std::erase_if(options, [](const OptionHelp& help) { return help.facts.path == "resamples"; });
  ordered_json out = schema_of_file(title, about, options);
  const ordered_json sampling = object_of(config_help(), families())["properties"]["sampling"];
  for (const OptionHelp& help : options) {
    std::string_view path = help.facts.path;
    ordered_json& property = place_of(out, path);
    if (path.ends_with("variants[0].sampling")) {
      const ordered_json own = property["description"];
      property = sampling;
      property["description"] = own;
    }
    if (!help.facts.is_needed) continue;
    const auto last = path.rfind('.');
    const std::string key(path.substr(last == path.npos ? 0 : last + 1));
    ordered_json* above = &out;
    if (last != path.npos) {
      path.remove_suffix(path.size() - last);
      above = &place_of(out, path);
      if (path.ends_with(']')) above = &(*above)["items"];
    }
    (*above)["required"].push_back(key);
  }
  // unless the file that it is laid over may have them
  if (out.contains("required")) {
    ordered_json based, whole;
    based["required"].push_back("base");
    whole["required"] = out["required"];
    out.erase("required");
    out["anyOf"].push_back(based);
    out["anyOf"].push_back(whole);
  }
  return out;
}

}  // namespace

ordered_json config_schema() {
  return schema_of_file("edmund config", "one training run, and how it is sampled and scored", config_help());
}

ordered_json comparison_schema() {
  return schema_of_study("edmund comparison", "models × ways to sample them, on the same seeds",
                         comparison_facts(Options::read_text(kComparisonExample, "example")));
}

ordered_json ablation_schema() {
  return schema_of_study("edmund ablation", "one config trained in several arms, then compared",
                         ablation_facts(Options::read_text(kAblationExample, "example")));
}

}  // namespace edmund
