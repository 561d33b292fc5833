// A page's plots and tables as files: SVG, PDF, CSV, LaTeX.

#include "edmund/report/figures.h"

#include "edmund/core/files.h"
#include "edmund/core/format.h"
#include "edmund/core/log.h"
#include "edmund/io/csv.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cmath>
#include <iterator>
#include <spawn.h>
#include <string>
#include <string_view>
#include <sys/wait.h>

extern char** environ;  // POSIX: the process's own

namespace edmund {
namespace fs = std::filesystem;
namespace {

struct Sign {
  std::string_view text, latex;
};
constexpr Sign kSigns[] = {
    {"\\", "\\textbackslash{}"},
    {"&", "\\&"},
    {"%", "\\%"},
    {"$", "\\$"},
    {"#", "\\#"},
    {"_", "\\_"},
    {"{", "\\{"},
    {"}", "\\}"},
    {"~", "\\textasciitilde{}"},
    {"^", "\\textasciicircum{}"},
    {"σ", "$\\sigma$"},
    {"ρ", "$\\rho$"},
    {"η", "$\\eta$"},
    {"ε", "$\\epsilon$"},
    {"λ", "$\\lambda$"},
    {"α", "$\\alpha$"},
    {"β", "$\\beta$"},
    {"μ", "$\\mu$"},
    {"Σ", "$\\Sigma$"},
    {"ᾱ", "$\\bar\\alpha$"},
    {"±", "$\\pm$"},
    {"×", "$\\times$"},
    {"≥", "$\\ge$"},
    {"≤", "$\\le$"},
    {"√", "$\\surd$"},
    {"∞", "$\\infty$"},
    {"·", "$\\cdot$"},
    {"−", "$-$"},
    {"–", "--"},
    {"→", "$\\to$"},
    {"…", "\\dots{}"},
    {"₀", "$_0$"},
    {"²", "$^2$"},
    {"“", "``"},
    {"”", "''"},
    {"<", "$<$"},
    {">", "$>$"},
};

/// "03-training-loss": what a file of the page is called.
std::string file_name(std::size_t number, std::string_view title) {
  std::string out = format("{}{}", number < 10 ? "0" : "", number);
  bool gap = true;
  std::string plain(title);
  for (const auto& [sign, word] : {std::pair{"é", "e"}, {"σ", "sigma"}})
    for (auto at = plain.find(sign); at != plain.npos; at = plain.find(sign))
      plain.replace(at, std::string_view(sign).size(), word);
  for (const char c : plain) {
    const bool is_word = std::isalnum(static_cast<unsigned char>(c)) != 0;
    if (is_word && gap) out += '-';
    if (is_word) out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    gap = !is_word;
  }
  constexpr std::size_t kLongest = 60;
  return out.size() <= kLongest ? out : out.substr(0, out.rfind('-', kLongest));
}

double at(const std::vector<double>& values, std::size_t i) { return i < values.size() ? values[i] : NAN; }

/// Of a plot whose rows have names: each value by the name of its row.
std::string csv_of_rows(const Plot& plot) {
  std::string out = csv_line({"row", csv_text(plot.x_label), "low", "high"});
  for (const Series& series : plot.series)
    for (std::size_t i = 0; i < std::min(series.x.size(), series.y.size()); ++i)
      out += csv_line({csv_text(plot.y_names.at(static_cast<std::size_t>(series.y[i]))), csv_number(series.x[i]),
                       csv_number(at(series.low, i)), csv_number(at(series.high, i))});
  return out;
}

std::string csv_of(const Plot& plot) {
  if (!plot.y_names.empty()) return csv_of_rows(plot);
  std::string out = csv_line({"series", csv_text(plot.x_label), csv_text(plot.y_label), "low", "high"});
  for (const Series& series : plot.series)
    for (std::size_t i = 0; i < std::min(series.x.size(), series.y.size()); ++i)
      out += csv_line({csv_text(series.label), csv_number(series.x[i]), csv_number(series.y[i]),
                       csv_number(at(series.low, i)), csv_number(at(series.high, i))});
  return out;
}

std::string joined(const std::vector<std::string>& cells, std::string_view between,
                   std::string (*written)(std::string_view)) {
  std::string out;
  for (const auto& cell : cells) out += (out.empty() ? "" : std::string(between)) + written(cell);
  return out;
}

std::string csv_of(const Page::Table& table) {
  std::string out = joined(table.head, ",", csv_text) + '\n';
  for (const auto& row : table.rows) out += joined(row, ",", csv_text) + '\n';
  return out;
}

std::string latex_of(const Page::Table& table) {
  std::string columns;
  for (const bool right : table.is_right) columns += right ? 'r' : 'l';
  std::string out = "% needs \\usepackage{booktabs}\n\\begin{tabular}{" + columns + "}\n\\toprule\n";
  out += joined(table.head, " & ", latex) + " \\\\\n\\midrule\n";
  for (const auto& row : table.rows) out += joined(row, " & ", latex) + " \\\\\n";
  return out + "\\bottomrule\n\\end{tabular}\n";
}

/// Whether rsvg-convert made the PDF.
bool make_pdf(const fs::path& from, const fs::path& to) {
  std::string program = "rsvg-convert", format_flag = "--format=pdf", output = "--output=" + to.string(),
              input = from.string();
  char* arguments[] = {program.data(), format_flag.data(), output.data(), input.data(), nullptr};
  pid_t child = 0;
  if (posix_spawnp(&child, program.c_str(), nullptr, nullptr, arguments, environ) != 0) return false;
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 && fs::exists(to);
}

}  // namespace

std::string standalone_svg(std::string_view svg) {
  std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
  for (std::size_t at = 0; at < svg.size();) {
    const std::size_t found = std::min(svg.find("var(--", at), svg.size());
    out += svg.substr(at, found - at);
    if (found == svg.size()) break;
    const std::size_t comma = svg.find(',', found), close = svg.find(')', found);
    out += svg.substr(comma + 1, close - comma - 1);
    at = close + 1;
  }
  return out + '\n';
}

std::string latex(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const auto sign = std::find_if(std::begin(kSigns), std::end(kSigns),
                                   [&](const Sign& known) { return text.substr(at).starts_with(known.text); });
    out += sign == std::end(kSigns) ? text.substr(at, 1) : sign->latex;
    at += sign == std::end(kSigns) ? 1 : sign->text.size();
  }
  return out;
}

std::vector<fs::path> write_figures(const Page& page, const fs::path& folder) {
  std::vector<fs::path> out;
  const auto write = [&](const std::string& name, std::string_view bytes) {
    write_file(folder / name, bytes);
    out.push_back(folder / name);
  };
  std::size_t number = 0;
  bool has_pdf = true;
  for (const Page::Shown& shown : page.shown()) {
    const std::string name = file_name(++number, shown.plot    ? shown.plot->title
                                                 : shown.table ? shown.table->heading
                                                               : shown.picture->heading);
    if (shown.picture) {
      write(name + ".png", shown.picture->png);
      continue;
    }
    if (shown.table) {
      write(name + ".csv", csv_of(*shown.table));
      write(name + ".tex", latex_of(*shown.table));
      continue;
    }
    write(name + ".svg", standalone_svg(svg(*shown.plot)));
    write(name + ".csv", csv_of(*shown.plot));
    has_pdf = has_pdf && make_pdf(folder / (name + ".svg"), folder / (name + ".pdf"));
    if (has_pdf) out.push_back(folder / (name + ".pdf"));
  }
  if (!has_pdf) log::warn("figures: no PDF was made; it takes rsvg-convert (Debian: librsvg2-bin)");
  return out;
}

}  // namespace edmund
