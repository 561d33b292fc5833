#include "damaged.h"

#include "edmund/core/error.h"
#include "edmund/core/files.h"
#include "edmund/core/log.h"
#include "edmund/core/text.h"
#include "edmund/data/image_check.h"
#include "moments.h"
#include "pass.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <charconv>
#include <cmath>
#include <mutex>
#include <utility>

namespace edmund {
namespace {

using Read = std::function<Tensor(std::int64_t)>;

std::uint64_t sum_of(const Tensor& values) {
  const std::string digits = checksum({static_cast<const char*>(values.const_data_ptr()), values.nbytes()});
  std::uint64_t out = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), out, 16);
  return out;
}

// Images of one checksum, confirmed by their values.
std::vector<std::pair<std::int64_t, std::int64_t>> twins_of(const std::vector<std::uint64_t>& sums,
                                                            const Examination& found, const Read& read) {
  std::vector<std::int64_t> order;
  for (std::int64_t i = 0; i < found.images; ++i)
    if (!found.faults.contains(i)) order.push_back(i);
  const auto sum = [&](std::int64_t i) { return sums[static_cast<std::size_t>(i)]; };
  std::ranges::stable_sort(order, {}, sum);
  std::vector<std::pair<std::int64_t, std::int64_t>> out;
  for (std::size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    for (end = begin + 1; end < order.size() && sum(order[end]) == sum(order[begin]);) ++end;
    if (end == begin + 1) continue;
    const Tensor first = read(order[begin]);
    for (std::size_t k = begin + 1; k < end; ++k)
      if (read(order[k]).equal(first)) out.emplace_back(order[k], order[begin]);
  }
  std::ranges::sort(out);
  return out;
}

Examination examined(std::int64_t count, std::string_view task, const Read& read,
                     double seconds = std::numeric_limits<double>::infinity()) {
  Examination out;
  PixelMoments moments(count);
  std::vector<std::uint64_t> sums(static_cast<std::size_t>(count));
  std::mutex mutex;
  out.images = for_all_images(
      count, task,
      [&](std::int64_t i) {
        try {
          const Tensor image = read(i).contiguous();
          sums[static_cast<std::size_t>(i)] = sum_of(image);
          moments.add(i, image);
          const std::lock_guard lock(mutex);
          ++out.shapes[{image.size(0), image.size(1), image.size(2)}];
        } catch (const Error& error) {  // all of them are told at once
          const std::lock_guard lock(mutex);
          out.faults.emplace(i, error.what());
        }
      },
      seconds);
  if (!out.shapes.empty()) out.pixels = moments.statistics();
  out.twins = twins_of(sums, out, read);
  return out;
}

}  // namespace

void require_whole(const Examination& found) {
  constexpr std::size_t kNamed = 10;
  const auto& faults = found.faults;
  if (faults.empty()) return;
  if (faults.size() == 1) fail("{}", faults.begin()->second);
  std::string reasons;
  std::size_t named = 0;
  for (const auto& [i, reason] : faults)
    if (named++ < kNamed) reasons += (reasons.empty() ? "" : "; ") + reason;
  fail("{} of {} images cannot be read: {}{}; `data.damaged: skip` leaves them out", faults.size(), found.images,
       reasons, faults.size() > kNamed ? format("; and {} more", faults.size() - kNamed) : "");
}

ImageSource without_damaged(ImageSource source) {
  std::map<std::int64_t, std::string> faults;
  std::mutex mutex;
  for_all_images(source.size, "decoding images", [&](std::int64_t i) {
    try {
      source.header(i);
      source.image(i);
    } catch (const Error& error) {
      const std::lock_guard lock(mutex);
      faults.emplace(i, error.what());
    }
  });
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
  Examination found{.images = source.size};
  for (std::int64_t i = 0; i < source.size; ++i) {
    try {
      source.header(i);
    } catch (const Error& error) {  // all of them are told at once
      found.faults.emplace(i, error.what());
    }
  }
  require_whole(found);
}

Examination examined(const Dataset& dataset, double seconds) {
  return examined(
      dataset.info().size, "checking images", [&](std::int64_t i) { return dataset.read(std::span(&i, 1)).images[0]; },
      seconds);
}

Examination examined(const ImageSource& source) {
  return examined(source.size, "checking images", [&](std::int64_t i) {
    source.header(i);
    return source.image(i);
  });
}

std::vector<std::string> remarks(const Examination& found, const DatasetInfo& info,
                                 const std::function<std::string(std::int64_t)>& file) {
  std::vector<std::string> out;
  if (!found.twins.empty()) {
    const auto [one, other] = found.twins.front();
    out.push_back(format("{}: {} of {} images repeat earlier ones (for example, {} is the same as {})", info.name,
                         grouped(std::ssize(found.twins)), grouped(found.images), file(one), file(other)));
  }
  std::string without;
  std::int64_t empty = 0;
  for (std::size_t k = 0; k < info.class_counts.size(); ++k) {
    if (info.class_counts[k] > 0) continue;
    constexpr std::int64_t kShown = 5;
    if (empty++ >= kShown) continue;
    without += (without.empty() ? "" : ", ") + (info.class_names.empty() ? std::to_string(k) : info.class_names[k]);
  }
  if (empty > 0)
    out.push_back(format("{}: {} of {} classes have no images ({}{})", info.name, empty, info.num_classes, without,
                         empty > 5 ? ", …" : ""));
  return out;
}

std::string sigma_data_remark(double assumed, double measured) {
  if (std::abs(assumed / measured - 1) <= 0.2) return "";
  return format(
      "preconditioning.sigma_data is {}, but the images' standard deviation is {}; results suffer when they are far "
      "apart",
      assumed, std::round(measured * 1000) / 1000);
}

}  // namespace edmund
