#include "compare_curves.h"

#include "edmund/core/format.h"

namespace edmund {

std::vector<std::string> variants_of(const ComparisonTable& table) {
  std::vector<std::string> out;
  for (const CellResult& cell : table.cells)
    if (std::ranges::find(out, cell.variant) == out.end()) out.push_back(cell.variant);
  return out;
}

std::vector<std::string> metrics_of(const std::vector<CellResult>& cells) {
  std::vector<std::string> out;
  for (const CellResult& cell : cells)
    for (const CellScore& score : cell.scores)
      if (std::ranges::find(out, score.metric) == out.end()) out.push_back(score.metric);
  return out;
}

void add_point(Series& series, double x, const Measured& found) {
  series.x.push_back(x);
  series.y.push_back(found.value);
  series.low.push_back(found.low.value_or(NAN));
  series.high.push_back(found.high.value_or(NAN));
}

std::vector<Curve> curves_of(const ComparisonTable& table, std::span<const ModelLook> looks) {
  const std::vector<std::string> variants = variants_of(table);
  std::vector<Curve> out;
  for (std::size_t m = 0; m < table.models.size(); ++m)
    for (std::size_t v = 0; v < variants.size(); ++v) {
      const std::string& model = table.models[m].name;
      if (table.cells_of(model, variants[v]).empty()) continue;
      Curve curve{.model = model, .variant = variants[v]};
      const auto own = std::ranges::find(looks, model, &ModelLook::model);
      if (variants.size() == 1) {
        curve.label = table.models.size() == 1 ? variants[v] : model;
        curve.look = static_cast<std::int64_t>(m);
        if (own != looks.end()) curve.look = own->look, curve.dash = own->dash;
      } else {
        curve.label = table.models.size() == 1 ? variants[v] : format("{}, {}", model, variants[v]);
        curve.look = static_cast<std::int64_t>(v);
        if (table.models.size() > 1) curve.dash = static_cast<std::int64_t>(m);
      }
      out.push_back(std::move(curve));
    }
  return out;
}

std::vector<Curve> curves_of(const std::vector<Curve>& all, const std::string& model) {
  std::vector<Curve> out;
  for (const Curve& curve : all)
    if (curve.model == model) {
      out.push_back(curve);
      out.back().label = curve.variant;
    }
  return out;
}

}  // namespace edmund
