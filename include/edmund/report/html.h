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
  /// What a table shows beside its texts.
  struct TableLook {
    // of each row, before its first cell: svg_mark(), or nothing
    std::vector<std::string> marks;
    std::vector<std::vector<double>> shade;  // of each cell, from 0 to 1; NaN: none
    std::string title;                       // tells it from other tables of its section
  };
  /// Cells that start like a number are set to the right. What is wider than the page is scrolled,
  /// its first column stays.
  void table(const std::vector<std::string>& head, const std::vector<std::vector<std::string>>& rows,
             const TableLook& look = {});
  /// A row of pictures: its name, and PNGs for each column, or "" for none.
  struct PictureRow {
    std::string mark, name;
    std::vector<std::string> pngs;
  };
  /// Pictures in rows and columns, each shown `width` pixels wide and pixelated when enlarged;
  /// scrolled as a table. `whole`: all of it as one PNG for shown(), "" for none.
  void pictures(const std::vector<std::string>& columns, const std::vector<PictureRow>& rows, std::int64_t width,
                std::string_view caption, std::string_view whole = "");
  /// What follows is hidden until its summary is clicked; until end_fold().
  void begin_fold(std::string_view summary, std::string_view mark = "");
  void end_fold();
  /// Text as it stands, such as a config.
  void listing(std::string_view text);
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
    std::string heading;  // of its section, and its title
    std::vector<std::string> head;
    std::vector<std::vector<std::string>> rows;
    std::vector<bool> is_right;
  };
  struct Picture {
    std::string heading;  // of its section
    std::string png;
  };
  /// One of the three.
  struct Shown {
    std::optional<Plot> plot = {};
    std::optional<Table> table = {};
    std::optional<Picture> picture = {};
  };
  /// All plots, tables and whole pictures in their order: see write_figures().
  const std::vector<Shown>& shown() const { return shown_; }

 private:
  std::string title_, subtitle_, contents_, body_, heading_;
  std::vector<Shown> shown_;
  std::int64_t sections_ = 0;
  bool columns_ = false, interactive_ = false;
};

}  // namespace edmund
