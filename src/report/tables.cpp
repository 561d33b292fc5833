// Tables of a page, of texts and of pictures.

#include "edmund/core/format.h"
#include "edmund/report/html.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstddef>

namespace edmund {
namespace {

/// Whether a table sets the cell to the right: it starts like a number.
bool numeric(std::string_view cell) {
  std::size_t i = 0;
  while (i < cell.size() && (cell[i] == '-' || cell[i] == '+' || cell[i] == '.')) ++i;
  return i < cell.size() && std::isdigit(static_cast<unsigned char>(cell[i])) != 0;
}

/// Translucent, for light and dark pages: the darker the more.
std::string shaded(double share) {
  if (!std::isfinite(share)) return "";
  return format(R"x( style="background:rgba(0,114,178,{});padding-left:10px")x",
                std::round(45 * std::clamp(share, 0.0, 1.0)) / 100);
}

std::string cell(std::string_view tag, bool right, std::string_view style, std::string_view content) {
  // What is long may take several lines; numbers and names stay whole.
  constexpr std::size_t kLong = 40;
  const std::string_view kind = right ? R"( class="n")" : content.size() > kLong ? R"( class="long")" : "";
  return format("<{}{}{}>{}</{}>", tag, kind, style, content, tag);
}

}  // namespace

void Page::table(const std::vector<std::string>& head, const std::vector<std::vector<std::string>>& rows,
                 const TableLook& look) {
  std::vector<bool> right(head.size(), !rows.empty());
  for (const auto& cells : rows)
    for (std::size_t i = 0; i < std::min(cells.size(), right.size()); ++i)
      right[i] = right[i] && (numeric(cells[i]) || cells[i].empty() || cells[i] == "-" || cells[i] == "–");
  const auto is_right = [&](std::size_t column) { return column < right.size() && right[column]; };
  if (!look.title.empty()) body_ += format("<p>{}</p>\n", escaped(look.title));
  body_ += "<div class=\"wide\" tabindex=\"0\"><table>\n<thead><tr>";
  for (std::size_t i = 0; i < head.size(); ++i) body_ += cell("th", is_right(i), "", escaped(head[i]));
  body_ += "</tr>\n</thead>\n<tbody>\n";
  for (std::size_t r = 0; r < rows.size(); ++r) {
    body_ += "<tr>";
    for (std::size_t i = 0; i < rows[r].size(); ++i) {
      const bool has_shade = r < look.shade.size() && i < look.shade[r].size();
      const std::string mark = i == 0 && r < look.marks.size() ? look.marks[r] : "";
      const std::string text = escaped(rows[r][i]);
      body_ += mark.empty() ? cell("td", is_right(i), has_shade ? shaded(look.shade[r][i]) : "", text)
                            : format("<td>{}{}</td>", mark, text);
    }
    body_ += "</tr>\n";
  }
  body_ += "</tbody></table></div>\n";
  const std::string name = look.title.empty() ? heading_ : format("{}, {}", heading_, look.title);
  shown_.push_back({.table = Table{name, head, rows, right}});
}

void Page::pictures(const std::vector<std::string>& columns, const std::vector<PictureRow>& rows, std::int64_t width,
                    std::string_view caption, std::string_view whole) {
  body_ += "<div class=\"wide\" tabindex=\"0\"><table class=\"pictures\">\n";
  const bool has_heads = std::any_of(columns.begin(), columns.end(), [](const auto& name) { return !name.empty(); });
  if (has_heads) {
    body_ += "<thead><tr><th></th>";
    for (const auto& name : columns) body_ += cell("th", false, "", escaped(name));
    body_ += "</tr></thead>\n";
  }
  body_ += "<tbody>\n";
  for (const PictureRow& row : rows) {
    body_ += format(R"(<tr><th scope="row">{}{}</th>)", row.mark, escaped(row.name));
    for (std::size_t i = 0; i < row.pngs.size(); ++i) {
      const std::string name = i < columns.size() && has_heads ? row.name + ", " + columns[i] : row.name;
      body_ += row.pngs[i].empty() ? "<td></td>"
                                   : format(R"(<td><img width="{}" alt="{}" src="data:image/png;base64,{}"></td>)",
                                            width, escaped(name), base64(row.pngs[i]));
    }
    body_ += "</tr>\n";
  }
  body_ += "</tbody></table></div>\n";
  if (!caption.empty()) body_ += format("<p class=\"caption\">{}</p>\n", escaped(caption));
  if (!whole.empty()) shown_.push_back({.picture = Picture{heading_, std::string(whole)}});
}

}  // namespace edmund
