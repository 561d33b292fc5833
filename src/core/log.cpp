#include "edmund/core/log.h"

#include "edmund/core/error.h"
#include "edmund/core/files.h"
#include "edmund/core/printable.h"
#include "live_line.h"

#include <cstdio>
#include <memory>
#include <mutex>
#include <set>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>

namespace edmund::log {
namespace {

/// Everything that logging remembers between calls.
struct State {
  std::mutex mutex;
  Level level = Level::kInfo;
  std::unique_ptr<spdlog::logger> file;
  std::string live;
  std::set<std::string> once;  // messages that are not to be repeated
};

State& state() {
  static State state;
  return state;
}

void put(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

constexpr std::string_view kErase = "\r\x1b[K";

std::string_view prefix(Level level) {
  return level == Level::kWarn ? "warning: " : level == Level::kDebug ? "debug: " : "";
}

spdlog::level::level_enum file_level(Level level) {
  return level == Level::kWarn    ? spdlog::level::warn
         : level == Level::kDebug ? spdlog::level::debug
                                  : spdlog::level::info;
}

}  // namespace

void set_level(Level level) {
  const std::lock_guard lock(state().mutex);
  state().level = level;
}

void to_file(const std::filesystem::path& path) {
  if (path.has_parent_path()) make_folder(path.parent_path());
  std::unique_ptr<spdlog::logger> file;
  try {
    file = std::make_unique<spdlog::logger>("file", std::make_shared<spdlog::sinks::basic_file_sink_mt>(path.string()));
  } catch (const spdlog::spdlog_ex& reason) {
    fail("{}: cannot open the log file: {}", path, reason.what());
  }
  file->set_level(spdlog::level::debug);
  file->flush_on(spdlog::level::debug);
  file->set_pattern("%Y-%m-%d %H:%M:%S.%e  %-7l  %v");
  const std::lock_guard lock(state().mutex);
  state().file = std::move(file);
}

void write(Level level, std::string_view message) {
  State& now = state();
  const std::lock_guard lock(now.mutex);
  if (level != Level::kOff && level >= now.level)
    put(format("{}{}{}\n{}", now.live.empty() ? "" : kErase, prefix(level), printable(message), now.live));
  if (now.file) now.file->log(file_level(level), "{}", spdlog::string_view_t(message.data(), message.size()));
}

bool is_new(const std::string& message) {
  const std::lock_guard lock(state().mutex);
  return state().once.insert(message).second;
}

void set_live_line(std::string_view line) {
  State& now = state();
  const std::lock_guard lock(now.mutex);
  if (now.level == Level::kOff || now.level == Level::kWarn) line = "";
  if (!line.empty() || !now.live.empty()) put(format("{}{}", kErase, line));
  now.live = line;
}

void end_live_line() {
  State& now = state();
  const std::lock_guard lock(now.mutex);
  if (!now.live.empty()) put("\n");
  now.live.clear();
}

}  // namespace edmund::log
