// A plot of a report: curves, their error bars and keys, guides and axes as one SVG.

#include "edmund/report/svg.h"

#include "axis.h"
#include "edmund/core/format.h"
#include "edmund/core/text.h"
#include "edmund/report/html.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <utility>

namespace edmund {
namespace {

// Okabe & Ito's palette for all kinds of colour vision, without yellow; they stand out on white and
// on black.
constexpr std::array<std::string_view, 7> kColors = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                                     "#e69f00", "#56b4e9", "#8a8f98"};
constexpr std::size_t kMostTitles = 256;  // points of a line that answer the mouse

/// Which of the looks the series at place `index` has.
std::size_t look(const Series& series, std::size_t index) {
  return series.look >= 0 ? static_cast<std::size_t>(series.look) : index;
}

/// A page may set its own colours, as html.cpp does for dark screens.
std::string color(const Series& series, std::size_t number) {
  if (series.reference) return "var(--muted,#6b7380)";
  const std::size_t index = look(series, number) % kColors.size();
  return format("var(--series{},{})", index, kColors[index]);
}

/// Series of one colour differ by their dashes.
std::string_view dashes(const Series& series, std::size_t index) {
  constexpr std::array<std::string_view, 4> kDashes = {"", ";stroke-dasharray:6 4", ";stroke-dasharray:2 3",
                                                       ";stroke-dasharray:9 3 2 3"};
  if (series.dashed || series.reference) return kDashes[series.dashed ? 1 : 0];
  const std::size_t own = look(series, index) / kColors.size();
  return kDashes[(series.dash >= 0 ? static_cast<std::size_t>(series.dash) : own) % kDashes.size()];
}

/// Coordinate with two decimals, which is plenty for pixels.
std::string pixel(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", value);
  return text;
}

/// Number of characters, not bytes; what widths of labels are estimated from.
double characters(std::string_view text) {
  return static_cast<double>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

struct Point {
  double x, y, low, high;  // NaN: no interval
  bool joined;             // with the point before it
  bool has_interval() const { return low < high; }
};

/// Points that can be shown, in order; a value left out interrupts the line.
std::vector<Point> shown(const Series& series, const Axis& x, const Axis& y) {
  std::vector<Point> points;
  bool joined = false;
  for (std::size_t i = 0; i < std::min(series.x.size(), series.y.size()); ++i) {
    const bool visible = x.shows(series.x[i]) && y.shows(series.y[i]);
    const bool known = i < std::min(series.low.size(), series.high.size()) && std::isfinite(series.low[i]) &&
                       std::isfinite(series.high[i]);
    if (visible)
      points.push_back({series.x[i], series.y[i], known ? series.low[i] : NAN, known ? series.high[i] : NAN, joined});
    joined = visible;
  }
  return points;
}

/// The lowest and the highest of each run of neighbours, when there are many more points than
/// pixels.
std::vector<Point> thinned(const std::vector<Point>& points, std::size_t columns) {
  if (points.size() <= 4 * columns) return points;
  std::vector<Point> kept;
  const std::size_t run = (points.size() + columns - 1) / columns;
  for (std::size_t begin = 0; begin < points.size(); begin += run) {
    const auto first = points.begin() + static_cast<std::ptrdiff_t>(begin);
    const auto last = points.begin() + static_cast<std::ptrdiff_t>(std::min(begin + run, points.size()));
    auto [low, high] = std::minmax_element(first, last, [](const Point& a, const Point& b) { return a.y < b.y; });
    const bool whole = std::all_of(first, last, [](const Point& p) { return p.joined; });
    if (high < low) std::swap(low, high);
    kept.push_back({low->x, low->y, low->low, low->high, whole});
    if (high != low) kept.push_back({high->x, high->y, high->low, high->high, true});
  }
  return kept;
}

std::string line_of(double x1, double y1, double x2, double y2, std::string_view style) {
  return format(R"(<line x1="{}" y1="{}" x2="{}" y2="{}" style="{}"/>)", pixel(x1), pixel(y1), pixel(x2), pixel(y2),
                style);
}

std::string text_at(double x, double y, std::string_view anchor, std::string_view text, std::string_view extra = "") {
  return format(R"(<text x="{}" y="{}" text-anchor="{}"{}>{}</text>)", pixel(x), pixel(y), anchor, extra,
                escaped(text));
}

constexpr std::string_view kGrid = "stroke:var(--grid,#e3e6ea);stroke-width:1";
constexpr std::string_view kFine = "stroke:var(--grid,#e3e6ea);stroke-width:0.5";
constexpr std::string_view kFrame = "stroke:var(--muted,#6b7380);stroke-width:1";
constexpr std::string_view kGuide = "stroke:var(--muted,#6b7380);stroke-width:1.2;stroke-dasharray:5 4";
constexpr std::string_view kHalo =
    R"x( style="fill:var(--muted,#5a6270);paint-order:stroke;stroke:var(--paper,#fff);stroke-width:3")x";
constexpr std::string_view kSoft = R"x( style="fill:var(--muted,#5a6270)")x";

std::string axes(const Plot& plot, const Axis& x, const Axis& y) {
  std::string out;
  for (const double tick : fine_ticks(x)) out += line_of(x.at(tick), y.from, x.at(tick), y.to, kFine);
  for (const double tick : fine_ticks(y)) out += line_of(x.from, y.at(tick), x.to, y.at(tick), kFine);
  for (const double tick : x.ticks) {
    out += line_of(x.at(tick), y.from, x.at(tick), y.to, kGrid);
    out += text_at(x.at(tick), y.from + 15, "middle", x.label(tick), kSoft);
  }
  for (const double tick : y.ticks) {
    out += line_of(x.from, y.at(tick), x.to, y.at(tick), kGrid);
    out += text_at(x.from - 6, y.at(tick) + 4, "end", y.label(tick), kSoft);
  }
  out += line_of(x.from, y.from, x.to, y.from, kFrame) + line_of(x.from, y.from, x.from, y.to, kFrame);
  if (!plot.x_label.empty()) out += text_at((x.from + x.to) / 2, y.from + 33, "middle", plot.x_label);
  if (!plot.y_label.empty()) {
    const double middle = (y.from + y.to) / 2;
    out += text_at(13, middle, "middle", plot.y_label, format(R"x( transform="rotate(-90 13 {})")x", pixel(middle)));
  }
  return out;
}

std::string guides(const Plot& plot, const Axis& x, const Axis& y) {
  std::string out;
  for (const Guide& guide : plot.guides) {
    if (!y.names.empty() && x.shows(guide.y)) {
      out += line_of(x.at(guide.y), y.from, x.at(guide.y), y.to, kGuide);
      if (!guide.label.empty()) out += text_at(x.at(guide.y) + 4, y.to + 10, "start", guide.label, kHalo);
    }
    if (!y.names.empty() || !y.shows(guide.y)) continue;
    out += line_of(x.from, y.at(guide.y), x.to, y.at(guide.y), kGuide);
    if (!guide.label.empty()) out += text_at(x.to - 4, y.at(guide.y) - 4, "end", guide.label, kHalo);
  }
  return out;
}

/// From end to end of the interval, along the axis that has the values.
std::string error_bar(const Point& p, const Axis& x, const Axis& y) {
  const bool is_lying = !y.names.empty();
  const Axis& axis = is_lying ? x : y;
  const std::string from = pixel(axis.log && p.low <= 0 ? axis.from : axis.at(p.low)), to = pixel(axis.at(p.high));
  return is_lying ? format("M{} {}H{}", from, pixel(y.at(p.y)), to) : format("M{} {}V{}", pixel(x.at(p.x)), from, to);
}

std::string drawn(const Series& series, std::size_t index, const Axis& x, const Axis& y) {
  const auto points = thinned(shown(series, x, y), static_cast<std::size_t>(std::abs(x.to - x.from)));
  std::string path, bars, marks;
  double travel = 0;  // pixels up and down
  for (std::size_t i = 0; i < points.size(); ++i) {
    const Point& p = points[i];
    const std::string px = pixel(x.at(p.x)), py = pixel(y.at(p.y));
    const bool alone =
        // a line of one point would not be seen
        !p.joined && (i + 1 == points.size() || !points[i + 1].joined);
    path += format("{}{} {}", p.joined ? "L" : "M", px, py);
    if (p.joined && i > 0) travel += std::abs(y.at(p.y) - y.at(points[i - 1].y));
    if (p.has_interval()) bars += error_bar(p, x, y);
    if (series.reference) continue;
    const bool mark = series.points || alone;
    if (!mark && points.size() > kMostTitles && i % (points.size() / kMostTitles) != 0) continue;
    const std::string name = series.label.empty() ? "" : series.label + ": ";
    const std::string interval = p.has_interval() ? format(" [{}, {}]", short_number(p.low), short_number(p.high)) : "";
    const std::string point = y.names.empty() ? format("({}, {}{})", short_number(p.x), short_number(p.y), interval)
                                              : format("{}: {}{}", y.label(p.y), short_number(p.x), interval);
    marks += format(R"(<circle cx="{}" cy="{}" r="{}"{}><title>{}</title></circle>)", px, py, mark ? "3.2" : "5",
                    mark ? "" : R"x( fill-opacity="0")x", escaped(name + point));
  }
  const std::string_view dash = dashes(series, index);
  const bool is_noisy = travel > 4 * std::abs(y.from - y.to);  // it must not cover other curves
  const std::string_view pen = series.reference ? series.dashed ? "1.1" : "7;stroke-opacity:0.35"
                               : is_noisy       ? "1;stroke-opacity:0.6"
                                                : "1.9";
  std::string out = format(R"(<g data-series="{}" style="stroke:{};fill:{};stroke-width:0">)", index,
                           color(series, index), color(series, index));
  if (!bars.empty()) out += format(R"(<path d="{}" style="fill:none;stroke-width:1.3"/>)", bars);
  if (!series.points && !path.empty())
    out += format(R"(<path d="{}" style="fill:none;stroke-width:{};stroke-linejoin:round;stroke-linecap:round{}"/>)",
                  path, pen, dash);
  return out + marks + "</g>";
}

/// What the legend shows of a curve: 16 pixels of its line, or its mark.
std::string key_of(const Series& series, std::size_t index, double x, double y) {
  if (series.points)
    return format(R"(<circle cx="{}" cy="{}" r="3.5" style="fill:{}"/>)", pixel(x + 8), pixel(y), color(series, index));
  return line_of(x, y, x + 16, y, format("stroke:{};stroke-width:2.4{}", color(series, index), dashes(series, index)));
}

/// Keys in rows below the title, and the height that they take.
std::string legend(const Plot& plot, double left, double right, double top, double& height) {
  std::string out;
  double x = left, y = top;
  for (std::size_t i = 0; i < plot.series.size(); ++i) {
    const Series& series = plot.series[i];
    if (series.label.empty()) continue;
    const double width = 36 + 6.6 * characters(series.label);
    if (x > left && x + width > right) {
      x = left;
      y += 17;
    }
    out += format(R"(<g data-key="{}">)", i);
    out += key_of(series, i, x, y - 4) + text_at(x + 21, y, "start", series.label) + "</g>";
    x += width;
    height = y + 8 - top + 10;
  }
  return out;
}

}  // namespace

std::string svg_mark(std::int64_t look, std::int64_t dash, bool point) {
  const Series series{.points = point, .look = look, .dash = dash};
  return R"(<svg class="mark" width="18" height="10" viewBox="0 0 18 10" aria-hidden="true">)" +
         key_of(series, 0, 1, 5) + "</svg>";
}

std::string svg(const Plot& plot) {
  Axis x{.log = plot.log_x}, y{.log = plot.log_y, .names = plot.y_names};
  const bool is_lying = !plot.y_names.empty();
  Axis& values = is_lying ? x : y;
  for (const Series& series : plot.series)
    for (const Point& p : shown(series, x, y)) {
      x.include(p.x);
      y.include(p.y);
      for (const double end : {p.low, p.high}) values.include(end);
    }
  const bool empty = x.empty();
  for (const double value : plot.covers_x) x.include(value);
  for (const Guide& guide : plot.guides) values.include(guide.y);
  const double width = std::max(plot.width, 160.0), height = std::max(plot.height, 120.0);
  x.settle(is_lying ? 0.05 : x.log ? 0.01 : 0.0, std::max<std::int64_t>(2, static_cast<std::int64_t>(width / 85)));
  y.settle(0.05, std::max<std::int64_t>(2, static_cast<std::int64_t>(height / 50)));

  // Room for what stands around the frame.
  double widest = 1;
  for (const double tick : y.ticks) widest = std::max(widest, characters(y.label(tick)));
  const double title = plot.title.empty() ? 6 : 24;
  x.from = (plot.y_label.empty() ? 12 : 28) + 6.4 * widest;
  x.to = width - 16;
  double keys = 4;
  const std::string key = legend(plot, x.from, x.to, title + 12, keys);
  y.to = title + keys + 4;
  y.from = height - (plot.x_label.empty() ? 22 : 40);

  // On a narrow screen a figure is scrolled rather than its letters made too small to read.
  const double narrowest = std::min(0.75 * width, 640.0);
  std::string out = format(
      R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} {}" width="{}" height="{}" role="img" aria-label="{}")",
      short_number(width), short_number(height), short_number(width), short_number(height),
      escaped(plot.title.empty() ? plot.y_label : plot.title));
  out += format(R"x( style="min-width:{}px;max-width:100%;height:auto;background:var(--paper,#fff)")x",
                short_number(narrowest));
  out += R"( font-family="system-ui,-apple-system,'Segoe UI',Roboto,sans-serif")";
  out += R"x( font-size="11.5"><g style="fill:var(--ink,#1f2630)">)x";
  if (!plot.title.empty()) out += text_at(x.from, 17, "start", plot.title, R"( font-size="14" font-weight="600")");
  out += key + axes(plot, x, y) + guides(plot, x, y);
  if (empty) out += text_at((x.from + x.to) / 2, (y.from + y.to) / 2, "middle", "no values", kSoft);
  for (std::size_t i = 0; i < plot.series.size(); ++i) out += drawn(plot.series[i], i, x, y);
  return out + "</g></svg>";
}

}  // namespace edmund
