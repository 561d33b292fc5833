#include "edmund/studies/comparison_table.h"

#include <algorithm>
#include <cmath>

namespace edmund {

const CellScore* CellResult::score(std::string_view metric) const {
  const auto found = std::ranges::find(scores, metric, &CellScore::metric);
  return found == scores.end() ? nullptr : &*found;
}

std::vector<CellResult> ComparisonTable::cells_of(std::string_view model, std::string_view variant) const {
  std::vector<CellResult> out;
  for (const CellResult& cell : cells)
    if (cell.model == model && (variant.empty() || cell.variant == variant)) out.push_back(cell);
  return out;
}

void mark_pareto(std::vector<CellResult>& cells) {
  for (CellResult& cell : cells) {
    const CellScore* own = cell.score("frechet");
    if (own == nullptr) continue;
    const double value = own->measured.value;
    cell.pareto = std::ranges::none_of(cells, [&](const CellResult& other) {
      const CellScore* its = other.score("frechet");
      return its != nullptr && other.model == cell.model && other.nfe <= cell.nfe && its->measured.value <= value &&
             (other.nfe < cell.nfe || its->measured.value < value);
    });
  }
}

void add_orders(std::vector<CellResult>& cells) {
  const CellResult* before = nullptr;
  for (CellResult& cell : cells) {
    if (!cell.distance) continue;
    if (before != nullptr && before->model == cell.model && before->variant == cell.variant) {
      const double distance = cell.distance->value, its = before->distance->value;
      const auto nfe = static_cast<double>(cell.nfe), fewer = static_cast<double>(before->nfe);
      if (nfe > fewer && distance > 0 && its > 0) cell.order = -std::log(distance / its) / std::log(nfe / fewer);
    }
    before = &cell;
  }
}

}  // namespace edmund
