#pragma once

#include "edmund/report/svg.h"
#include "edmund/studies/compare.h"
#include "edmund/studies/comparison_table.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace edmund {

/// The cells of one model and variant, which look alike on the whole page: in plots, tables and
/// beside images.
struct Curve {
  std::string label, model, variant;
  std::int64_t look = 0, dash = -1;
  std::string mark() const { return svg_mark(look, dash); }
};

/// All curves in the table's order. Variants have a color each and models a dash each; where there
/// is one variant the models have colors, or the looks given for them.
std::vector<Curve> curves_of(const ComparisonTable& table, std::span<const ModelLook> looks = {});
/// Those of one model, called by their variants.
std::vector<Curve> curves_of(const std::vector<Curve>& all, const std::string& model);

std::vector<std::string> variants_of(const ComparisonTable& table);
/// Keys of the scores of any cell, in the order in which they come.
std::vector<std::string> metrics_of(const std::vector<CellResult>& cells);

/// A point with its interval.
void add_point(Series& series, double x, const Measured& found);

/// A curve's series: what `value` takes from a cell (null: left out) against `x`.
template <typename X, typename Value>
Series series_of(const ComparisonTable& table, const Curve& curve, const X& x, const Value& value) {
  Series out{.label = curve.label, .look = curve.look, .dash = curve.dash};
  for (const CellResult& cell : table.cells_of(curve.model, curve.variant)) {
    const std::optional<Measured> found = value(cell);
    if (!found || !std::isfinite(found->value)) continue;
    add_point(out, x(cell), *found);
  }
  return out;
}

}  // namespace edmund
