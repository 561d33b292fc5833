// table — s and σ at listed times, and a smooth curve through them.
//
//   ln σ and ln s are monotone cubics in t between the rows (Fritsch & Butland 1984), so that σ
//   increases and s does not, and both rates are continuous.
//
//   file   a .csv file of three columns t, s, sigma: a first line may name them, in any order, and
//          lines that begin with # are comments; or a .npz file of three arrays of these names
//   or in the config itself:
//   times, s, sigma   the columns as lists
//
//   At least two rows; t >= 0 and σ increase, s does not and lies in (0, 1]. The schedule reaches
//   from the first row to the last and knows no clean time.
#include "edmund/archives/columns.h"
#include "edmund/core/error.h"
#include "edmund/core/files.h"
#include "edmund/core/text.h"
#include "edmund/schedules/noise_schedule.h"
#include "inverse.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace edmund::schedules {
namespace {

// Value and slope.
using Point = std::pair<double, double>;

// A monotone cubic through points of which the values rise, fall or stay.
class MonotoneCubic {
 public:
  MonotoneCubic(std::vector<double> x, std::vector<double> y) : x_(std::move(x)), y_(std::move(y)), slopes_(x_.size()) {
    const std::size_t last = x_.size() - 1;
    const auto h = [&](std::size_t i) { return x_[i + 1] - x_[i]; };
    const auto secant = [&](std::size_t i) { return (y_[i + 1] - y_[i]) / h(i); };
    // Fritsch & Butland 1984: the harmonic mean, weighted by the lengths.
    for (std::size_t i = 1; i < last; ++i) {
      const double a = secant(i - 1), b = secant(i), w = 2 * h(i) + h(i - 1), v = h(i) + 2 * h(i - 1);
      slopes_[i] = a == 0 || b == 0 ? 0.0 : (w + v) / (w / a + v / b);
    }
    // The parabola through three points, held to what stays monotone and does not come to rest.
    const auto end = [](double near, double far, double h_near, double h_far) {
      const double slope = near + (near - far) * h_near / (h_near + h_far);
      return near * std::clamp(near == 0 ? 0.0 : slope / near, 0.1, 2.5);
    };
    slopes_[0] = last == 1 ? secant(0) : end(secant(0), secant(1), h(0), h(1));
    slopes_[last] = last == 1 ? secant(0) : end(secant(last - 1), secant(last - 2), h(last - 1), h(last - 2));
  }

  Point at(double x) const { return at(x, piece(x_, x)); }
  /// x of a y, where the values rise; beyond the ends by the slope there.
  double inverse(double y) const {
    if (y <= y_.front()) return x_.front() + (y - y_.front()) / slopes_.front();
    if (y >= y_.back()) return x_.back() + (y - y_.back()) / slopes_.back();
    const std::size_t i = piece(y_, y);
    if (y == y_[i]) return x_[i];
    const double f = (y - y_[i]) / (y_[i + 1] - y_[i]);
    return increasing_root(
        [&](double x) {
          const auto [value, slope] = at(x, i);
          return Point(value - y, slope);
        },
        {x_[i], x_[i + 1]}, std::lerp(x_[i], x_[i + 1], f));
  }

 private:
  static std::size_t piece(const std::vector<double>& ends, double at) {
    const auto above = std::upper_bound(ends.begin() + 1, ends.end() - 1, at);
    return static_cast<std::size_t>(above - ends.begin()) - 1;
  }
  Point at(double x, std::size_t i) const {
    const double h = x_[i + 1] - x_[i], u = (x - x_[i]) / h, rise = (y_[i + 1] - y_[i]) / h;
    const double a = slopes_[i], b = slopes_[i + 1];
    // From the nearer end, whose value is then exact.
    if (u <= 0.5) {
      const double c = 3 * rise - 2 * a - b, d = a + b - 2 * rise;
      return {y_[i] + h * u * (a + u * (c + u * d)), a + u * (2 * c + 3 * u * d)};
    }
    const double v = 1 - u, c = 3 * rise - 2 * b - a, d = a + b - 2 * rise;
    return {y_[i + 1] - h * v * (b + v * (c + v * d)), b + v * (2 * c + 3 * v * d)};
  }

  std::vector<double> x_, y_, slopes_;
};

struct Columns {
  std::vector<double> t, s, sigma;
};

std::vector<double> logarithms(std::vector<double> x) {
  for (double& value : x) value = std::log(value);
  return x;
}

class TableSchedule : public NoiseSchedule {
 public:
  explicit TableSchedule(const Columns& rows)
      : NoiseSchedule({.times = {rows.t.front(), rows.t.back()}, .knots = rows.t}),
        log_s_(rows.t, logarithms(rows.s)),
        log_sigma_(rows.t, logarithms(rows.sigma)) {}

 private:
  double s(double t) const override { return std::exp(log_s_.at(t).first); }
  double sigma_of(double t) const override { return std::exp(log_sigma_.at(t).first); }
  double s_dot(double t) const override { return rate(log_s_.at(t)); }
  double sigma_dot(double t) const override { return rate(log_sigma_.at(t)); }
  double time_of(double sigma) const override { return log_sigma_.inverse(std::log(sigma)); }
  static double rate(const Point& log) { return std::exp(log.first) * log.second; }

  MonotoneCubic log_s_, log_sigma_;
};

// What is wrong with the rows; empty if nothing is.
std::string fault(const Columns& rows) {
  const std::vector<double>&t = rows.t, &s = rows.s, &sigma = rows.sigma;
  if (t.size() != s.size() || t.size() != sigma.size())
    return format("columns of {}, {} and {} numbers: t, s and sigma are of one length", t.size(), s.size(),
                  sigma.size());
  if (t.size() < 2) return format("at least 2 rows are needed, found {}", t.size());
  for (std::size_t i = 0; i < t.size(); ++i) {
    const auto wrong = [&](std::string_view what) {
      return format("row {} (t = {}, s = {}, sigma = {}): {}", i + 1, t[i], s[i], sigma[i], what);
    };
    if (!(t[i] >= 0 && std::isfinite(t[i]))) return wrong("t must be at least 0 and finite");
    if (!(s[i] > 0 && s[i] <= 1)) return wrong("s must lie in (0, 1]");
    if (!(sigma[i] > 0 && std::isfinite(sigma[i]))) return wrong("sigma must be above 0 and finite");
    if (i == 0) continue;
    if (!(t[i] > t[i - 1])) return wrong(format("t must increase from row to row, before it was {}", t[i - 1]));
    if (!(s[i] <= s[i - 1])) return wrong(format("s must not increase from row to row, before it was {}", s[i - 1]));
    if (!(sigma[i] > sigma[i - 1]))
      return wrong(format("sigma must increase from row to row, before it was {}", sigma[i - 1]));
  }
  return "";
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\""), last = text.find_last_not_of(" \t\r\"");
  return first == std::string_view::npos ? std::string_view() : text.substr(first, last - first + 1);
}

std::vector<std::string_view> fields_of(std::string_view line) {
  std::vector<std::string_view> out;
  for (std::size_t at = 0; at != std::string_view::npos;) {
    const std::size_t comma = line.find(',', at);
    out.push_back(trimmed(line.substr(at, comma == std::string_view::npos ? comma : comma - at)));
    at = comma == std::string_view::npos ? comma : comma + 1;
  }
  return out;
}

Columns read_csv(const std::string& file) {
  constexpr std::array<std::string_view, 3> kNames{"t", "s", "sigma"};
  const std::string bytes = read_file(file, std::uint64_t{1} << 26);
  Columns rows;
  std::array<std::vector<double>*, 3> columns{&rows.t, &rows.s, &rows.sigma};
  std::size_t number = 0;
  std::string_view text = bytes;
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // a byte order mark
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (line.empty() || line.front() == '#') continue;
    const auto fields = fields_of(line);
    require(fields.size() == 3, "{}: line {}: expected 3 fields, t, s and sigma, found {}", file, number,
            fields.size());
    if (rows.t.empty() && !parse_real(fields[0])) {
      for (std::size_t i = 0; i < 3; ++i) {
        const auto found = std::find(kNames.begin(), kNames.end(), fields[i] == "σ" ? "sigma" : fields[i]);
        require(found != kNames.end(), "{}: line {}: unknown column {}; the columns are t, s and sigma", file, number,
                in_quotes(fields[i]));
        columns[i] = std::array{&rows.t, &rows.s, &rows.sigma}[static_cast<std::size_t>(found - kNames.begin())];
      }
      require(columns[0] != columns[1] && columns[1] != columns[2] && columns[0] != columns[2],
              "{}: line {}: a column is named twice", file, number);
      continue;
    }
    for (std::size_t i = 0; i < 3; ++i) {
      const auto value = parse_real(fields[i]);
      require(value.has_value(), "{}: line {}: {} is no number", file, number, in_quotes(fields[i]));
      columns[i]->push_back(*value);
    }
  }
  return rows;
}

Columns read_npz(const std::string& file) {
  std::map<std::string, std::vector<double>> found = read_columns(file);
  const auto column = [&](const std::string& name) {
    std::string known;
    for (const auto& [own, unused] : found) known += (known.empty() ? "" : ", ") + own;
    require(found.contains(name), "{}: no list of numbers '{}'; there are {}", file, name,
            known.empty() ? "none" : known);
    return found[name];
  };
  return {.t = column("t"), .s = column("s"), .sigma = column("sigma")};
}

}  // namespace

std::unique_ptr<NoiseSchedule> make_table(Options& options) {
  const Columns usable{{0.0, 1.0}, {1.0, 1.0}, {0.002, 80.0}};
  const std::string file = options.path("file", "table of t, s and sigma (.csv, .npz); or the lists").string();
  Columns rows{.t = options.reals("times", {}, {}, "column t, without a file"),
               .s = options.reals("s", {}, {}, "column s, without a file"),
               .sigma = options.reals("sigma", {}, {}, "column sigma, without a file")};
  const bool listed = options.has("times") || options.has("s") || options.has("sigma");
  const std::string_view key = listed ? "times" : "file";
  if (listed == !file.empty()) {
    options.reject(key, "a table is either a `file` or the lists `times`, `s` and `sigma`");
    return std::make_unique<TableSchedule>(usable);
  }
  try {
    if (!listed) {
      require(!file.ends_with(".npy"),
              "{}: a single array; save its columns by name: numpy.savez(\"schedule.npz\", t=t, s=s, sigma=sigma)",
              file);
      rows = file.ends_with(".npz") ? read_npz(file) : read_csv(file);
    }
    const std::string why = fault(rows);
    if (why.empty()) return std::make_unique<TableSchedule>(rows);
    options.reject(key, why);
  } catch (const Error& error) {  // one mistake among those of the config
    options.reject(key, error.what());
  }
  return std::make_unique<TableSchedule>(usable);
}

}  // namespace edmund::schedules
