// Plots and tables of a page as files for a paper.
#include "edmund/report/figures.h"

#include "edmund/core/files.h"
#include "report/xml.h"
#include "support/catch.h"
#include "support/temporary_folder.h"

#include <algorithm>
#include <filesystem>

namespace edmund::testing {
namespace fs = std::filesystem;

TEST_CASE("a page's plots and tables become files in their order", "[report]") {
  Page page("title");
  page.section("Scores, all of them");
  page.table({"sampler", "σ_max"}, {{"heun & co", "80"}, {"50 % \"off\"", "2 ± 1"}});
  page.plot({.title = "Loss (σ)",
             .x_label = "images",
             .y_label = "loss",
             .series = {{.label = "a, b", .x = {1, 2}, .y = {0.5, 0.25}, .low = {0.25}, .high = {1}}}});
  page.figure("<p>neither</p>");
  page.pictures({""}, {{.mark = "", .name = "heun", .pngs = {"png"}}}, 64, "", "whole");
  const TemporaryFolder folder;
  const auto files = write_figures(page, folder.path() / "figures");

  const auto text = [&](const char* name) { return read_file(folder.path() / "figures" / name); };
  CHECK(text("01-scores-all-of-them.csv") ==
        "\"sampler\",\"σ_max\"\n\"heun & co\",\"80\"\n\"50 % \"\"off\"\"\",\"2 ± 1\"\n");
  CHECK(text("01-scores-all-of-them.tex") ==
        "% needs \\usepackage{booktabs}\n\\begin{tabular}{lr}\n\\toprule\nsampler & $\\sigma$\\_max \\\\\n\\midrule\n"
        "heun \\& co & 80 \\\\\n50 \\% \"off\" & 2 $\\pm$ 1 \\\\\n\\bottomrule\n\\end{tabular}\n");
  CHECK(text("02-loss-sigma.csv") == "series,\"images\",\"loss\",low,high\n\"a, b\",1,0.5,0.25,1\n\"a, b\",2,0.25,,\n");
  CHECK(text("03-scores-all-of-them.png") == "whole");
  const std::string svg = text("02-loss-sigma.svg");
  CHECK(svg.find("var(") == std::string::npos);
  CHECK(svg.find("#0072b2") != std::string::npos);
  CHECK(xml_fault(svg.substr(svg.find("<svg"))).empty());
  if (const auto pdf = folder.path() / "figures/02-loss-sigma.pdf"; fs::exists(pdf)) {
    CHECK(read_file(pdf).starts_with("%PDF"));
    CHECK(std::ranges::find(files, pdf) != files.end());
  }
  CHECK(std::ranges::all_of(files, [](const fs::path& file) { return fs::exists(file); }));
}

TEST_CASE("a long file name ends with a whole word", "[report]") {
  Page page("title");
  page.plot({.title = "Order of convergence of all samplers between the neighboring budgets"});
  const TemporaryFolder folder;
  write_figures(page, folder.path());
  CHECK(fs::exists(folder.path() / "01-order-of-convergence-of-all-samplers-between-the.svg"));
}

TEST_CASE("values of named rows are written with their names", "[report]") {
  Page page("title");
  page.section("Arms");
  page.plot({.title = "Distance",
             .x_label = "distance",
             .series = {{.x = {3}, .y = {0}, .low = {2}, .high = {4}}, {.x = {5}, .y = {1}}},
             .y_names = {"narrow", "a, b"}});
  const TemporaryFolder folder;
  write_figures(page, folder.path());
  CHECK(read_file(folder.path() / "01-distance.csv") == "row,\"distance\",low,high\n\"narrow\",3,2,4\n\"a, b\",5,,\n");
}

TEST_CASE("LaTeX prints what the text says", "[report]") {
  CHECK(latex("a_b & 5 % of {x}\\y #1 $2 ~ ^") ==
        "a\\_b \\& 5 \\% of \\{x\\}\\textbackslash{}y \\#1 \\$2 \\textasciitilde{} \\textasciicircum{}");
  CHECK(latex("ᾱ ± 2σ ≥ 1 – é") == "$\\bar\\alpha$ $\\pm$ 2$\\sigma$ $\\ge$ 1 -- é");
}

}  // namespace edmund::testing
