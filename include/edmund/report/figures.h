#pragma once

#include "edmund/report/html.h"

#include <filesystem>
#include <vector>

namespace edmund {

/// Writes the plots and tables of a page as files for a paper and answers their names, in the order
/// of the page:
///   NN-title.svg, NN-title.pdf   a plot in the colors of a light page; PDF by rsvg-convert, left
///                                out
///                                with a word in the log where that is not installed
///   NN-title.csv                 its values: series, x, y, and the interval's low and high,
///                                or nothing; of named rows: row, x, low, high
///   NN-heading.csv, .tex         a table; LaTeX with booktabs' rules, to be taken in by \input
///   NN-heading.png               images of a comparison, in rows and columns as on the page
/// NN counts plots and tables together. Files of these names are replaced. Throws Error where a
/// file cannot be written.
std::vector<std::filesystem::path> write_figures(const Page& page, const std::filesystem::path& folder);

/// An <svg> of ours as a file of its own: colors that a page may set take their defaults.
std::string standalone_svg(std::string_view svg);

/// Text as LaTeX prints it: its special characters escaped, Greek letters and signs as mathematics.
std::string latex(std::string_view text);

}  // namespace edmund
