#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace edmund {

/// Texts (UTF-8) that a PNG carries beside its pixels, by keyword, in the order of the file.
using PngTexts = std::vector<std::pair<std::string, std::string>>;

/// The PNG with these texts behind its header: tEXt chunks where a text is ASCII, iTXt else (W3C
/// PNG, sec. 11.3.3). All other bytes stay as they are. Keywords are 1 to 79 characters of ASCII.
std::string with_texts(std::string_view png, const PngTexts& texts);

/// The texts of a PNG: its tEXt, zTXt and iTXt chunks. Throws Error (naming `name`) for another
/// kind of file, for damaged chunks and for texts beyond 16 MB.
PngTexts texts_of(std::string_view png, std::string_view name);

}  // namespace edmund
