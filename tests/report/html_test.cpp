#include "edmund/report/html.h"

#include "support/catch.h"
#include "xml.h"

#include <cmath>

using namespace edmund;
using testing::occurrences;
using testing::xml_fault;

namespace {

/// The page without its doctype and style, and with elements closed that HTML leaves open: what
/// nests must nest as in XML.
std::string as_xml(std::string text) {
  text.erase(0, text.find("<html"));
  text.erase(text.find("<style>"), text.find("</style>") + 8 - text.find("<style>"));
  for (const char* tag : {"<meta", "<img"})
    for (auto at = text.find(tag); at != std::string::npos; at = text.find(tag, at + 1))
      text.insert(text.find('>', at), 1, '/');
  std::erase(text, '\n');
  return text;
}

}  // namespace

TEST_CASE("text is escaped for content and attributes", "[evaluation]") {
  CHECK(escaped("a < b & \"c\" > 'd'") == "a &lt; b &amp; &quot;c&quot; &gt; &#39;d&#39;");
  CHECK(escaped("σ → 日本 😀\n\t") == "σ → 日本 😀\n\t");
  CHECK(escaped(std::string_view("a\0b\x07", 4)) ==
        "a\xEF\xBF\xBD"
        "b\xEF\xBF\xBD");
}

TEST_CASE("bytes that are not UTF-8 do not reach the page", "[evaluation]") {
  const std::string mark = "\xEF\xBF\xBD";
  CHECK(escaped("\xFF") == mark);
  CHECK(escaped("\xC0\xAF") == mark + mark);             // overlong
  CHECK(escaped("\xED\xA0\x80") == mark + mark + mark);  // surrogate
  CHECK(escaped("\xEF\xBF\xBF") == mark + mark + mark);  // no character
  CHECK(escaped("\xE2\x82") == mark + mark);             // cut short
  CHECK(escaped("\xF4\x90\x80\x80").size() == 4 * mark.size());
}

TEST_CASE("base64 agrees with the test vectors of RFC 4648", "[evaluation]") {
  CHECK(base64("").empty());
  CHECK(base64("f") == "Zg==");
  CHECK(base64("fo") == "Zm8=");
  CHECK(base64("foo") == "Zm9v");
  CHECK(base64("foob") == "Zm9vYg==");
  CHECK(base64("fooba") == "Zm9vYmE=");
  CHECK(base64("foobar") == "Zm9vYmFy");
  CHECK(base64(std::string_view("\xFF\xFE\x00", 3)) == "//4A");
}

TEST_CASE("a page nests and asks for nothing from outside", "[evaluation]") {
  Page page("digits <1>", "a & b");
  page.paragraph("before any section");
  page.section("Samples", "with a lead");
  page.begin_columns();
  page.image("png", "a caption \"quoted\"", 128);
  page.figure("<svg></svg>", "c < d");
  page.section("Scores");  // closes the columns
  page.table({"metric", "value"}, {{"distance", "1.5 ± 0.2"}, {"-", "–"}, {"<i>", ""}});
  page.facts({{"seed", "0"}, {"config", "a&b"}});
  page.begin_columns();
  const std::string html = page.html();
  CHECK(xml_fault(as_xml(html)) == "");
  CHECK(html.starts_with("<!DOCTYPE html>\n<html lang=\"en\">"));
  for (const char* outside : {"http:", "https:", "<script", "<link", "@import", "url("}) {
    INFO(outside);
    CHECK(html.find(outside) == std::string::npos);
  }
  CHECK(html.find("<img width=\"128\" alt=\"a caption &quot;quoted&quot;\" src=\"data:image/png;base64,cG5n\">") !=
        std::string::npos);
  CHECK(html.find("<i>") == std::string::npos);
  CHECK(occurrences(html, "<section") == 2);
  CHECK(occurrences(html, "<a href=\"#s") == 2);
  CHECK(page.html() == html);
}

TEST_CASE("columns of numbers are set to the right", "[evaluation]") {
  Page page("t");
  page.table({"name", "value"}, {{"a1", "1.5"}, {"b", "-2e3 s"}, {"c", ""}});
  const std::string html = page.html();
  CHECK(html.find("<th>name</th><th class=\"n\">value</th>") != std::string::npos);
  CHECK(html.find("<td>a1</td><td class=\"n\">1.5</td>") != std::string::npos);
}

TEST_CASE("tables have marks and shades, pictures rows and columns, and what is long is folded", "[report]") {
  Page page("t");
  page.section("s");
  page.table({"variant", "5"}, {{"heun", "1.5"}, {"<euler>", "2"}},
             {.marks = {svg_mark(0), svg_mark(8)}, .shade = {{NAN, 1.0}, {NAN, 0.0}}, .title = "a & b"});
  page.begin_fold("All <settings>", svg_mark(1));
  page.listing("a: <b>\nc: 1\n");
  page.end_fold();
  page.pictures({"5 NFE", "9 NFE"}, {{.mark = svg_mark(0), .name = "heun", .pngs = {"png", ""}}}, 130, "caption",
                "whole");
  const std::string html = page.html();
  CHECK(xml_fault(as_xml(html)) == "");
  CHECK(html.find("rgba(0,114,178,0.45)") != std::string::npos);
  CHECK(html.find("rgba(0,114,178,0)") != std::string::npos);
  CHECK(html.find("<p>a &amp; b</p>") != std::string::npos);
  CHECK(html.find("</svg>All &lt;settings&gt;</summary>") != std::string::npos);
  CHECK(html.find("a: &lt;b&gt;\nc: 1") != std::string::npos);
  CHECK(html.find("<img width=\"130\" alt=\"heun, 5 NFE\"") != std::string::npos);
  CHECK(occurrences(html, "<img") == 1);
  CHECK(occurrences(html, "<details>") == occurrences(html, "</details>"));
  REQUIRE(page.shown().size() == 2);
  CHECK(page.shown()[0].table->heading == "s, a & b");
  CHECK(page.shown()[1].picture->png == "whole");
}

TEST_CASE("a mark looks as the curve of its look does", "[report]") {
  const auto pen = [](const std::string& svg) {
    const auto at = svg.find("stroke:var(--series");
    return svg.substr(at, svg.find(')', at) - at);
  };
  for (const std::int64_t look : {0, 3, 9}) {
    Plot plot{.title = "t", .series = {{.label = "a", .x = {1, 2}, .y = {1, 2}, .look = look}}};
    CHECK(svg(plot).find(pen(svg_mark(look))) != std::string::npos);
    CHECK((svg_mark(look).find("dasharray") != std::string::npos) == (look >= 7));
  }
  CHECK(svg_mark(0, 2).find("dasharray:2 3") != std::string::npos);
  CHECK(xml_fault(svg_mark(1, -1, true)).empty());
}
