#include "damaged.h"

#include "edmund/core/error.h"
#include "edmund/core/log.h"
#include "edmund/data/image_check.h"
#include "pass.h"

#include <algorithm>
#include <limits>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace edmund {
namespace {

// Why images cannot be read, by their number.
using Faults = std::map<std::int64_t, std::string>;

struct Examined {
  std::int64_t images = 0;
  Faults faults;
};

Examined examine(std::int64_t count, std::string_view task, const std::function<void(std::int64_t)>& read,
                 double seconds = std::numeric_limits<double>::infinity()) {
  Examined out;
  std::mutex mutex;
  out.images = for_all_images(
      count, task,
      [&](std::int64_t i) {
        try {
          read(i);
        } catch (const Error& error) {  // all of them are told at once
          const std::lock_guard lock(mutex);
          out.faults.emplace(i, error.what());
        }
      },
      seconds);
  return out;
}

void require_none(const Examined& examined) {
  constexpr std::size_t kNamed = 10;
  const Faults& faults = examined.faults;
  if (faults.empty()) return;
  if (faults.size() == 1) fail("{}", faults.begin()->second);
  std::string reasons;
  std::size_t named = 0;
  for (const auto& [i, reason] : faults)
    if (named++ < kNamed) reasons += (reasons.empty() ? "" : "; ") + reason;
  fail("{} of {} images cannot be read: {}{}; `data.damaged: skip` leaves them out", faults.size(), examined.images,
       reasons, faults.size() > kNamed ? format("; and {} more", faults.size() - kNamed) : "");
}

}  // namespace

ImageSource without_damaged(ImageSource source) {
  const auto faults = examine(source.size, "decoding images", [&](std::int64_t i) {
                        source.header(i);
                        source.image(i);
                      }).faults;
  if (faults.empty()) return source;
  std::vector<std::int64_t> whole;
  for (std::int64_t i = 0; i < source.size; ++i)
    if (!faults.contains(i)) whole.push_back(i);
  require(!whole.empty(), "{}: none of its {} images can be read ({})", source.name, source.size,
          faults.begin()->second);
  log::warn("{}: {} of {} images cannot be read and are left out ({})", source.name, faults.size(), source.size,
            faults.begin()->second);
  return selected(std::move(source), std::move(whole));
}

void require_headers(const ImageSource& source) {
  Examined examined{.images = source.size, .faults = {}};
  for (std::int64_t i = 0; i < source.size; ++i) {
    try {
      source.header(i);
    } catch (const Error& error) {  // all of them are told at once
      examined.faults.emplace(i, error.what());
    }
  }
  require_none(examined);
}

std::int64_t check_images(const Dataset& dataset, double seconds) {
  const auto examined = examine(
      dataset.info().size, "checking images", [&](std::int64_t i) { dataset.read(std::span(&i, 1)); }, seconds);
  require_none(examined);
  return examined.images;
}

}  // namespace edmund
