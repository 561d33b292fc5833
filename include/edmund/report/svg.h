#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace edmund {

/// One line or set of points of a plot.
struct Series {
  std::string label;         // for the legend; none if empty
  std::vector<double> x, y;  // of equal length
  // ends of the interval about each value, NaN where none is known; or empty
  std::vector<double> low = {}, high = {};
  bool points = false;  // marks instead of a line
  bool dashed = false;
  // in grey, for others to be read against: a thin line if dashed, else a wide pale one
  bool reference = false;
  // which color and dashes; -1: by its place among the plot's series. What stands in several plots
  // of a page looks the same in all with a number of its own.
  std::int64_t look = -1;
  std::int64_t dash = -1;  // dashes of another look, such as those that a model has; -1: its own
};

/// A line across the plot, along which values are equal, that they are read against, such as floor
/// or ceiling.
struct Guide {
  std::string label;
  double y = 0.0;
};

/// A plot as our own SVG: axes with round ticks, log scales, legend; each point tells its values on
/// hover (<title>).
struct Plot {
  std::string title, x_label, y_label;
  std::vector<Series> series;
  bool log_x = false, log_y = false;
  double width = 560, height = 320;  // pixels; it shrinks with its column
  std::vector<Guide> guides;
  std::vector<double> covers_x;  // values that the axis spans whatever the series have
  // rows from the top in place of numbers: y counts them, and intervals lie along x
  std::vector<std::string> y_names;
};

/// <svg> element, well-formed XML that can stand in a page or in a file. Values that are not finite
/// (or not positive on a log axis)
/// are left out and interrupt their line; long lines are thinned to the lowest and highest value
/// per pixel.
std::string svg(const Plot& plot);

/// A short line, or a point, as the curve of this look has it: what tells in a table or a text
/// which curve is meant. A small <svg> element.
std::string svg_mark(std::int64_t look, std::int64_t dash = -1, bool point = false);

/// Round numbers inside [low, high], 1, 2 or 5 times a power of ten apart, at most count + 1 of
/// them.
std::vector<double> round_ticks(double low, double high, std::int64_t count);
/// Powers of ten inside [low, high], thinned to about `count`; 1, 2 and 5 times them where few
/// powers fit, else round ticks.
std::vector<double> log_ticks(double low, double high, std::int64_t count);

}  // namespace edmund
