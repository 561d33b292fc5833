// What variants of a comparison set: where they differ, and all of it.

#include "compare_settings.h"

#include "compare_factors.h"
#include "edmund/core/format.h"
#include "edmund/core/options.h"
#include "edmund/report/html.h"

#include <set>
#include <string_view>

namespace edmund {
namespace {

// `sampler: heun` and `sampler: {type: heun}` are one: "sampler".
std::string short_key(std::string_view key) {
  return std::string(key.ends_with(".type") ? key.substr(0, key.size() - 5) : key);
}

// At its largest budget. Curves have cells.
CellResult last_cell(const ComparisonTable& table, const Curve& curve) {
  return table.cells_of(curve.model, curve.variant).back();
}

}  // namespace

std::map<std::string, std::string> settings_of(const CellResult& cell) {
  return Options::read_text(cell.sampling, "sampling").flattened();
}

Differences differences_of(const Comparison& comparison) {
  std::vector<std::map<std::string, std::string>> all;
  std::vector<std::string> keys;
  for (const std::string& text : comparison.variant_settings()) {
    auto& own = all.emplace_back();
    for (const auto& [key, value] : Options::read_text(text, "variant").flattened()) {
      own[short_key(key)] = value;
      if (std::ranges::find(keys, short_key(key)) == keys.end()) keys.push_back(short_key(key));
    }
  }
  const auto value_of = [&](std::size_t variant, const std::string& key) {
    const auto found = all[variant].find(key);
    return found == all[variant].end() ? std::string("as the run") : found->second;
  };
  Differences out;
  for (const std::string& key : keys) {
    std::set<std::string> values;
    for (std::size_t v = 0; v < all.size(); ++v) values.insert(value_of(v, key));
    if (values.size() > 1) out.keys.push_back(key);
  }
  for (std::size_t v = 0; v < all.size(); ++v) {
    out.values.emplace_back();
    for (const std::string& key : out.keys) out.values.back().push_back(value_of(v, key));
  }
  return out;
}

void add_settings(Page& page, const Comparison& comparison, const ComparisonTable& table,
                  const std::vector<Curve>& curves) {
  const Differences differ = differences_of(comparison);
  const std::vector<std::string>& variants = comparison.plan().variants;
  if (variants.size() > 1 && !differ.keys.empty()) {
    std::vector<std::string> head{"variant"};
    head.insert(head.end(), differ.keys.begin(), differ.keys.end());
    std::vector<std::vector<std::string>> rows;
    Page::TableLook look;
    for (std::size_t v = 0; v < variants.size(); ++v) {
      rows.push_back({variants[v]});
      rows.back().insert(rows.back().end(), differ.values[v].begin(), differ.values[v].end());
      look.marks.push_back(svg_mark(static_cast<std::int64_t>(v)));
    }
    page.table(head, rows, look);
  }
  std::set<std::string> all;
  for (const Curve& curve : curves) all.insert(last_cell(table, curve).sampling);
  for (const Curve& curve : curves) {
    const CellResult cell = last_cell(table, curve);
    const std::string at = cell.budget > 0 ? format(", budget {}", cell.budget) : "";
    const bool is_one = all.size() == 1 && curves.size() > 1;  // of all
    page.begin_fold(
        is_one ? format("All settings of the sampling{}", at) : format("All settings of {}{}", curve.label, at),
        is_one ? "" : curve.mark());
    page.listing(cell.sampling);
    page.end_fold();
    if (is_one) return;
  }
}

}  // namespace edmund
