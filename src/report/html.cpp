// A page of a report: sections, tables and pictures as one self-contained HTML file (style.h:
// looks).

#include "edmund/report/html.h"

#include "edmund/core/format.h"
#include "style.h"

#include <cstddef>
#include <utf8/checked.h>
#include <utf8/unchecked.h>

namespace edmund {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

/// Whether XML may hold the character.
bool in_xml(char32_t c) { return c >= 0x20 ? c != 0xFFFE && c != 0xFFFF : c == '\n' || c == '\t' || c == '\r'; }

/// What stands for a character that means something in markup; empty for all others.
std::string_view entity(char32_t c) {
  switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\'': return "&#39;";
    default: return "";
  }
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  auto invalid = utf8::find_invalid(text.begin(), text.end());
  for (auto at = text.begin(); at != text.end();) {
    if (at == invalid) {
      out += kReplacement;
      invalid = utf8::find_invalid(++at, text.end());
      continue;
    }
    auto begin = at;
    const char32_t c = utf8::unchecked::next(at);
    if (!in_xml(c)) {
      for (; begin != at; ++begin) out += kReplacement;
    } else if (const std::string_view safe = entity(c); !safe.empty()) {
      out += safe;
    } else {
      out.append(begin, at);
    }
  }
  return out;
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t word = 0;
    for (std::size_t k = 0; k < 3; ++k) word = word << 8 | (k < count ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    for (std::size_t k = 0; k < 4; ++k) out += k <= count ? kDigits[word >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

Page::Page(std::string title, std::string subtitle) : title_(std::move(title)), subtitle_(std::move(subtitle)) {}

void Page::section(std::string_view heading, std::string_view lead) {
  end_columns();
  if (sections_ > 0) body_ += "</section>\n";
  ++sections_;
  heading_ = heading;
  contents_ += format("<a href=\"#s{}\">{}</a>\n", sections_, escaped(heading));
  body_ += format("<section id=\"s{}\">\n<h2>{}</h2>\n", sections_, escaped(heading));
  if (!lead.empty()) body_ += format("<p class=\"lead\">{}</p>\n", escaped(lead));
}

void Page::paragraph(std::string_view text) { body_ += format("<p>{}</p>\n", escaped(text)); }

void Page::facts(const std::vector<std::pair<std::string, std::string>>& rows) {
  if (rows.empty()) return;
  body_ += "<div class=\"plain\"><table class=\"facts\"><tbody>\n";
  for (const auto& [name, value] : rows)
    body_ += format("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", escaped(name), escaped(value));
  body_ += "</tbody></table></div>\n";
}

void Page::plot(const Plot& plot, std::string_view caption) {
  figure(svg(plot), caption);
  shown_.push_back({.plot = plot});
}

void Page::begin_fold(std::string_view summary, std::string_view mark) {
  body_ += format("<details><summary>{}{}</summary>\n", mark, escaped(summary));
}

void Page::end_fold() { body_ += "</details>\n"; }

void Page::listing(std::string_view text) { body_ += format("<pre tabindex=\"0\">{}</pre>\n", escaped(text)); }

void Page::figure(std::string_view svg_or_html, std::string_view caption) {
  body_ += "<figure>";
  body_ += svg_or_html;
  if (!caption.empty()) body_ += format("<figcaption>{}</figcaption>", escaped(caption));
  body_ += "</figure>\n";
}

void Page::image(std::string_view png, std::string_view caption, int width, std::string_view alt) {
  const std::string size = width > 0 ? format(" width=\"{}\"", width) : "";
  figure(format(R"(<img{} alt="{}" src="data:image/png;base64,{}">)", size, escaped(alt.empty() ? caption : alt),
                base64(png)),
         caption);
}

void Page::begin_columns() {
  end_columns();
  body_ += "<div class=\"columns\">\n";
  columns_ = true;
}

void Page::end_columns() {
  if (columns_) body_ += "</div>\n";
  columns_ = false;
}

std::string Page::html() const {
  std::string out = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
  out += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
  out += format("<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n<main>\n", escaped(title_), kStyle);
  out += format("<header><h1>{}</h1>\n", escaped(title_));
  if (!subtitle_.empty()) out += format("<p class=\"subtitle\">{}</p>\n", escaped(subtitle_));
  out += "</header>\n";
  if (sections_ > 1) out += "<nav aria-label=\"Sections\">\n" + contents_ + "</nav>\n";
  out += body_;
  if (columns_) out += "</div>\n";
  if (sections_ > 0) out += "</section>\n";
  out += "</main>\n";
  if (interactive_) out += format("<script>{}</script>\n", kScript);
  return out + "</body>\n</html>\n";
}

}  // namespace edmund
