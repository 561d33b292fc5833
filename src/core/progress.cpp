#include "edmund/core/progress.h"

#include "edmund/core/format.h"
#include "edmund/core/log.h"
#include "edmund/core/text.h"
#include "live_line.h"

#include <algorithm>
#include <cmath>
#include <sys/ioctl.h>
#include <unistd.h>

namespace edmund {
namespace {

constexpr double kRedraw = 0.1;   // seconds between two states of a live line
constexpr double kWindow = 10.0;  // seconds that the rate is taken over
constexpr double kApart = 0.05;   // seconds between two moments that are remembered

/// Cut to the width of the terminal: a live line that wraps cannot be erased. Bytes, of which UTF-8
/// has at least one a column.
std::string fitting(std::string line) {
  winsize size = {};
  const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
  const std::size_t width = known ? size.ws_col - 1u : 79u;
  std::size_t end = std::min(line.size(), width);
  while (end > 0 && end < line.size() && (static_cast<unsigned char>(line[end]) & 0xC0) == 0x80) --end;
  return line.substr(0, end);
}

/// Rounded, but 100 only when all is done.
std::int64_t percent(std::int64_t done, std::int64_t total) {
  const auto rounded = std::llround(100.0 * static_cast<double>(done) / static_cast<double>(total));
  return done < total ? std::min(rounded, 99LL) : rounded;
}

std::string rate_text(double rate) { return rate >= 100 ? grouped(std::llround(rate)) : human_count(rate); }

}  // namespace

Progress::Progress(std::string_view task, std::string_view unit, std::int64_t total, std::int64_t start,
                   double interval, double silence)
    : task_(task),
      unit_(unit),
      total_(total),
      start_(start),
      done_(start),
      shown_(start),
      interval_(interval),
      silence_(silence),
      terminal_(::isatty(STDERR_FILENO) == 1),
      recent_{{0.0, start}} {}

Progress::~Progress() { finish(); }

void Progress::update(std::int64_t done, std::string_view note) {
  done_ = done;
  note_ = note;
  const double now = since_start_.seconds();
  if (now - recent_.back().seconds >= kApart) recent_.push_back({now, done});
  // the window begins with the last moment before it: slow work has one of them in ten seconds
  while (recent_.size() > 1 && recent_[1].seconds < now - kWindow) recent_.pop_front();
  const bool due = since_shown_.seconds() >= (terminal_ ? kRedraw : interval_);
  if (finished_ || !due || now < silence_) return;
  show();
}

void Progress::finish() {
  if (finished_) return;
  const bool brief = shown_ == start_ && since_start_.seconds() < silence_;
  if (done_ != shown_ && !brief) show();
  if (terminal_) log::end_live_line();
  finished_ = true;
}

void Progress::show() {
  since_shown_ = {};
  shown_ = done_;
  if (terminal_) {
    log::set_live_line(fitting(line()));
  } else {
    log::info("{}", line());
  }
}

// Units a second, of the last seconds until all is done.
double Progress::rate() const {
  const Moment from = total_ > 0 && done_ >= total_ ? Moment{0.0, start_} : recent_.front();
  return static_cast<double>(done_ - from.done) / std::max(since_start_.seconds() - from.seconds, 1e-9);
}

std::string Progress::line() const {
  const double rate = this->rate();
  std::string out = format("{}  {}", task_, grouped(done_));
  if (total_ > 0) out += format("/{}", grouped(total_));
  out += format(" {}", unit_);
  if (total_ > 0) out += format("  {} %", percent(done_, total_));
  out += format("  {} {}/s", rate_text(rate), unit_);
  if (total_ > done_ && rate > 0)
    out += format("  ETA {}", human_time(std::ceil(static_cast<double>(total_ - done_) / rate)));
  if (done_ >= total_) out += format("  in {}", human_time(since_start_.seconds()));
  if (!note_.empty()) out += format("  {}", note_);
  return out;
}

}  // namespace edmund
