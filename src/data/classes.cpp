#include "edmund/data/classes.h"

#include "edmund/core/error.h"
#include "edmund/core/log.h"
#include "edmund/core/text.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <utility>

namespace edmund {
namespace {

constexpr std::int64_t kNone = -1;

class Renumbered final : public Dataset {
 public:
  Renumbered(std::unique_ptr<Dataset> data, const ClassSet& classes, std::vector<std::int64_t> number_of)
      : data_(std::move(data)), info_(data_->info()), number_of_(std::move(number_of)) {
    const std::vector<std::int64_t> counts = std::exchange(info_.class_counts, {});
    info_.num_classes = classes.count;
    info_.class_names = classes.names;
    if (counts.empty()) return;
    info_.class_counts.resize(static_cast<std::size_t>(classes.count));
    for (std::size_t i = 0; i < counts.size(); ++i)
      info_.class_counts[static_cast<std::size_t>(number_of_[i])] += counts[i];
  }

  DatasetInfo info() const override { return info_; }
  std::string file(std::int64_t i) const override { return data_->file(i); }
  Batch read(std::span<const std::int64_t> indices) const override {
    Batch batch = data_->read(indices);
    batch.labels = at::tensor(number_of_).index_select(0, batch.labels);
    return batch;
  }

 private:
  std::unique_ptr<Dataset> data_;
  DatasetInfo info_;
  std::vector<std::int64_t> number_of_;
};

/// The number in `classes` of each class of the data, kNone for those that it has not.
std::vector<std::int64_t> numbers_of(const DatasetInfo& info, const ClassSet& classes) {
  const bool by_name = !info.class_names.empty() && !classes.names.empty();
  std::vector<std::int64_t> out;
  for (std::int64_t i = 0; i < info.num_classes; ++i) {
    std::int64_t number = i < classes.count ? i : kNone;
    if (by_name) {
      const auto found = std::ranges::find(classes.names, info.class_names[static_cast<std::size_t>(i)]);
      number = found == classes.names.end() ? kNone : found - classes.names.begin();
    }
    out.push_back(number);
  }
  return out;
}

}  // namespace

std::string list_of(std::span<const std::string> names) {
  constexpr std::size_t kShown = 8;
  std::string out;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names.size() > kShown && i == kShown - 2) {
      out += ", …";
      i = names.size() - 2;
      continue;
    }
    out += (out.empty() ? "" : ", ") + in_quotes(names[i]);
  }
  return out;
}

std::unique_ptr<Dataset> with_classes(std::unique_ptr<Dataset> data, const ClassSet& classes) {
  const DatasetInfo info = data->info();
  if (classes.count == 0 || info.num_classes == 0) return data;
  std::vector<std::int64_t> numbers = numbers_of(info, classes);
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (numbers[i] != kNone || (!info.class_counts.empty() && info.class_counts[i] == 0)) continue;
    if (info.class_names.empty() || classes.names.empty())
      fail("{}: has images of class {}, {} has the classes 0 to {}", info.name, i, classes.whose, classes.count - 1);
    fail("{}: has images of the class {}, which {} does not know: its classes are {}", info.name,
         in_quotes(info.class_names[i]), classes.whose, list_of(classes.names));
  }
  if (info.class_names.empty() != classes.names.empty())
    log::warn("{}: {} has names of its classes ({}), the other side has none: they are taken to be numbered alike",
              info.name, info.class_names.empty() ? classes.whose : "it",
              list_of(info.class_names.empty() ? classes.names : info.class_names));
  // of classes without images
  for (auto& number : numbers) number = std::max<std::int64_t>(number, 0);
  return std::make_unique<Renumbered>(std::move(data), classes, std::move(numbers));
}

}  // namespace edmund
