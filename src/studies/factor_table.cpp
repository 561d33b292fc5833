// Two factors of a comparison or an ablation as one table.

#include "edmund/studies/factor_table.h"

#include "edmund/core/format.h"
#include "edmund/core/text.h"
#include "edmund/report/html.h"

#include <algorithm>
#include <cmath>

namespace edmund {
namespace {

std::string number(double value) { return std::isfinite(value) ? short_number(value) : "–"; }

}  // namespace

std::string with_interval(const Measured& found) {
  const std::string value = number(found.value);
  if (found.low) return format("{} [{}, {}]", value, number(*found.low), number(*found.high));
  if (found.error) return format("{} ± {}", value, number(*found.error));
  return value;
}

bool higher_is_better(const CellScore& score) {
  if (score.floor && score.ceiling) return *score.floor > *score.ceiling;
  return score.metric == "agreement";  // a share of images, without a ceiling
}

void add_factor_table(Page& page, const FactorTable& table) {
  double low = INFINITY, high = -INFINITY;
  for (const auto& row : table.cells)
    for (const auto& cell : row)
      if (cell && std::isfinite(cell->value)) low = std::min(low, cell->value), high = std::max(high, cell->value);
  const auto along = [&](double value) { return low > 0 ? std::log(value) : value; };
  std::vector<std::string> head{table.corner};
  head.insert(head.end(), table.columns.begin(), table.columns.end());
  std::vector<std::vector<std::string>> lines;
  Page::TableLook look{.marks = table.marks, .shade = {}, .title = table.title};
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    lines.push_back({table.rows[r]});
    look.shade.push_back({NAN});
    for (const auto& cell : table.cells[r]) {
      lines.back().push_back(cell ? with_interval(*cell) : "–");
      const double share = cell && low < high ? (along(high) - along(cell->value)) / (along(high) - along(low)) : NAN;
      look.shade.back().push_back(table.higher_is_better ? 1 - share : share);
    }
  }
  page.table(head, lines, look);
}

}  // namespace edmund
