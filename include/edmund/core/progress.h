#pragma once

#include "edmund/core/stopwatch.h"

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

namespace edmund {

/// Tells a person how far a long task is: on a terminal one live line (count, rate, time left,
/// note), otherwise a log line every `interval` seconds. Counts whatever `unit` names ("images").
/// Rate and time left are those of the last ten seconds; the last line tells the rate of the whole.
/// A task that ends within `silence` seconds tells nothing.
class Progress {
 public:
  static constexpr double kBrief = 2.0;  // seconds that nobody minds to wait in silence

  Progress(std::string_view task, std::string_view unit, std::int64_t total, std::int64_t start = 0,
           double interval = 10.0, double silence = 0.0);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void update(std::int64_t done, std::string_view note = "");
  /// Shows the last state and ends the live line, so that other output starts on a line of its own.
  /// Nothing comes after it.
  void finish();

 private:
  struct Moment {
    double seconds;
    std::int64_t done;
  };
  void show();
  std::string line() const;
  double rate() const;
  std::string task_, unit_, note_;
  std::int64_t total_, start_, done_, shown_;
  double interval_, silence_;
  bool terminal_, finished_ = false;
  Stopwatch since_start_, since_shown_;
  std::deque<Moment> recent_;  // of the last seconds, oldest first
};

}  // namespace edmund
