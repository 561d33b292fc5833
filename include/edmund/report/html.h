#pragma once

#include "edmund/report/svg.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace edmund {

/// Text made safe for HTML and XML content and attributes: the five special characters as entities,
/// control characters that XML forbids and broken UTF-8 as U+FFFD.
std::string escaped(std::string_view text);
std::string base64(std::string_view bytes);

/// One self-contained page: sections in order, style inline, images inline, no request to anywhere,
/// no script unless interactive(). Text arguments are escaped; only figure() takes markup.
class Page {
 public:
  explicit Page(std::string title, std::string subtitle = "");
  void section(std::string_view heading, std::string_view lead = "");
  void paragraph(std::string_view text);
  void facts(const std::vector<std::pair<std::string, std::string>>& rows);  // name, value
  /// Cells that start like a number are set to the right.
  void table(const std::vector<std::string>& head, const std::vector<std::vector<std::string>>& rows);
  void figure(std::string_view svg_or_html, std::string_view caption = "");
  /// The plot's SVG as a figure, kept for shown().
  void plot(const Plot& plot, std::string_view caption = "");
  /// Pixelated when enlarged. width: in pixels, 0 for the image's own; never wider than its column.
  /// alt: what a reader hears instead of seeing it, the caption if empty.
  void image(std::string_view png, std::string_view caption, int width = 0, std::string_view alt = "");
  void begin_columns();  // figures side by side until end_columns
  void end_columns();
  /// Plots answer the mouse: keys show and hide curves (with Shift one alone), the wheel with Ctrl
  /// zooms, a double click takes all back.
  void interactive() { interactive_ = true; }
  std::string html() const;

  /// A table as it was given, and whether its columns are set to the right.
  struct Table {
    std::string heading;  // of its section
    std::vector<std::string> head;
    std::vector<std::vector<std::string>> rows;
    std::vector<bool> is_right;
  };
  /// One of the two.
  struct Shown {
    std::optional<Plot> plot;
    std::optional<Table> table;
  };
  /// All plots and tables in their order: see write_figures().
  const std::vector<Shown>& shown() const { return shown_; }

 private:
  std::string title_, subtitle_, contents_, body_, heading_;
  std::vector<Shown> shown_;
  std::int64_t sections_ = 0;
  bool columns_ = false, interactive_ = false;
};

}  // namespace edmund
