// Values of flags, checked while the command line is read.
#include "edmund/commands/command.h"
#include "edmund/core/text.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <system_error>

namespace edmund {
namespace fs = std::filesystem;
namespace {

template <typename Value>
CLI::Option* integer_flag(CLI::App& arguments, const std::string& flag, Value& value, Whole range,
                          const std::string& about) {
  const auto read = [flag, range, &value](const std::string& text) { value = integer_of(flag, text, range); };
  return arguments.add_option_function<std::string>(flag, read, about)->type_name("INT");
}

}  // namespace

std::int64_t integer_of(std::string_view flag, std::string_view text, Whole range) {
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, value);
  const bool is_good = read.ec == std::errc{} && read.ptr == end && value >= range.low && value <= range.high;
  require(is_good, "{}: expected an integer from {} to {}, found {}", flag, range.low, range.high,
          in_quotes(as_utf8(text)));
  return value;
}

CLI::Option* add_integer(CLI::App& arguments, const std::string& flag, std::int64_t& value, Whole range,
                         const std::string& about) {
  return integer_flag(arguments, flag, value, range, about);
}

CLI::Option* add_integer(CLI::App& arguments, const std::string& flag, std::optional<std::int64_t>& value, Whole range,
                         const std::string& about) {
  return integer_flag(arguments, flag, value, range, about);
}

CLI::Option* add_text(CLI::App& arguments, const std::string& flag, std::string& value, const std::string& about) {
  const auto read = [flag, &value](const std::string& text) {
    require(is_utf8(text), "{}: expected text in UTF-8, found {}", flag, in_quotes(as_utf8(text)));
    value = text;
  };
  return arguments.add_option_function<std::string>(flag, read, about);
}

void require_folder_like(std::string_view flag, const fs::path& path) {
  static constexpr std::string_view kFiles[] = {".png",  ".jpg", ".jpeg", ".gif",   ".svg",        ".pdf", ".csv",
                                                ".json", ".npz", ".npy",  ".html",  ".yaml",       ".yml", ".zip",
                                                ".txt",  ".md",  ".tex",  ".jsonl", ".safetensors"};
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (fs::is_directory(status)) return;
  require(!fs::exists(status), "{}: expected a folder, but {} is a file", flag, as_utf8(path.string()));
  const std::string extension = path.extension().string();
  require(std::find(std::begin(kFiles), std::end(kFiles), extension) == std::end(kFiles),
          "{}: expected the name of a folder, found that of a file, {}", flag, as_utf8(path.string()));
}

void require_file_like(std::string_view flag, const fs::path& path) {
  std::error_code error;
  require(path.has_filename() && !fs::is_directory(path, error), "{}: expected a file, but {} is a folder", flag,
          as_utf8(path.string()));
  for (fs::path above = path.parent_path(); !above.empty() && above.has_relative_path(); above = above.parent_path()) {
    const fs::file_status status = fs::status(above, error);
    require(!fs::exists(status) || fs::is_directory(status), "{}: {} is not a folder, so {} cannot be written", flag,
            as_utf8(above.string()), as_utf8(path.string()));
  }
}

}  // namespace edmund
