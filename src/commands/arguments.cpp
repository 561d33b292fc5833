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

std::optional<std::int64_t> plain_integer(std::string_view text) {
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, value);
  if (read.ec != std::errc{} || read.ptr != end) return std::nullopt;
  return value;
}

std::int64_t integer_of(std::string_view flag, std::string_view text, Whole range) {
  const auto value = plain_integer(text);
  require(value && *value >= range.low && *value <= range.high, "{}: expected an integer from {} to {}, found {}", flag,
          range.low, range.high, in_quotes(as_utf8(text)));
  return *value;
}

std::vector<std::int64_t> integers_of(std::string_view flag, std::string_view text, Whole range, Runs runs) {
  constexpr std::int64_t kMost = 10'000'000;
  std::vector<std::int64_t> out;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    const std::string_view part = text.substr(at, end - at);
    // the first character may be a sign
    const std::size_t dash = runs == Runs::kTaken && !part.empty() ? part.find('-', 1) : part.npos;
    const std::int64_t first = integer_of(flag, part.substr(0, dash), range),
                       last = dash == part.npos ? first : integer_of(flag, part.substr(dash + 1), range);
    require(last >= first, "{}: expected a run of integers from low to high, found {}", flag, in_quotes(part));
    require(last - first < kMost - std::ssize(out), "{}: expected at most {} integers, found more", flag, kMost);
    for (std::int64_t value = first; value <= last; ++value) out.push_back(value);
    at = end + 1;
  }
  return out;
}

CLI::Option* add_integer(CLI::App& arguments, const std::string& flag, std::int64_t& value, Whole range,
                         const std::string& about) {
  return integer_flag(arguments, flag, value, range, about);
}

CLI::Option* add_integer(CLI::App& arguments, const std::string& flag, std::optional<std::int64_t>& value, Whole range,
                         const std::string& about) {
  return integer_flag(arguments, flag, value, range, about);
}

CLI::Option* add_integers(CLI::App& arguments, const std::string& flag, std::vector<std::int64_t>& values, Whole range,
                          const std::string& form, const std::string& about, Runs runs) {
  const auto read = [flag, range, runs, &values](const std::string& text) {
    values = integers_of(flag, text, range, runs);
  };
  return arguments.add_option_function<std::string>(flag, read, about)->type_name(form);
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
