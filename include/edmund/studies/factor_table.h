#pragma once

#include "edmund/studies/comparison_table.h"

#include <optional>
#include <string>
#include <vector>

namespace edmund {

class Page;

/// Two factors and a number for each pair of their levels.
struct FactorTable {
  std::string corner;  // "sampler / NFE": what stands in the rows and in the columns
  std::vector<std::string> rows, columns;
  std::vector<std::vector<std::optional<Measured>>> cells;  // of each row; nothing: not measured
  std::vector<std::string> marks = {};                      // of the rows, see Page::TableLook
  bool higher_is_better = false;
  std::string title = {};
};
/// As a table whose cells are the darker the better they are, in logarithms where all are positive.
void add_factor_table(Page& page, const FactorTable& table);

/// "12.3 [11.9, 12.7]", "12.3 ± 0.2" or "12.3", as much as is known.
std::string with_interval(const Measured& found);
/// Whether real images have the higher value, as with agreement or recall.
bool higher_is_better(const CellScore& score);

}  // namespace edmund
