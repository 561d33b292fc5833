#pragma once

#include "edmund/core/format.h"

#include <filesystem>
#include <string>
#include <string_view>

namespace edmund::log {

enum class Level { kDebug, kInfo, kWarn, kOff };

/// Least level that is shown on standard error.
void set_level(Level level);
/// Appends everything from `debug` on to this file too, with the time, until another file is named
/// or the process ends.
/// Throws Error if it cannot be opened.
void to_file(const std::filesystem::path& path);

/// One message, from any thread, before any set-up too.
void write(Level level, std::string_view message);
/// Whether it was not asked for this message before, in this process.
bool is_new(const std::string& message);

template <typename... Args>
void debug(std::string_view pattern, const Args&... args) {
  write(Level::kDebug, format(pattern, args...));
}
template <typename... Args>
void info(std::string_view pattern, const Args&... args) {
  write(Level::kInfo, format(pattern, args...));
}
/// The same, but a message that was given here before is not repeated: for what each step of a
/// command finds out anew.
template <typename... Args>
void info_once(std::string_view pattern, const Args&... args) {
  if (std::string message = format(pattern, args...); is_new(message)) write(Level::kInfo, message);
}
template <typename... Args>
void warn(std::string_view pattern, const Args&... args) {
  write(Level::kWarn, format(pattern, args...));
}

}  // namespace edmund::log
