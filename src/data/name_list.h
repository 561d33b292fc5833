#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace edmund {

/// Names of files, in as many bytes as they have and eight more each: data sets have millions.
class NameList {
 public:
  void add(std::string_view name) {
    text_ += name;
    ends_.push_back(text_.size());
  }
  std::int64_t size() const { return static_cast<std::int64_t>(ends_.size()); }
  bool empty() const { return ends_.empty(); }
  std::string_view operator[](std::int64_t i) const {
    const auto at = static_cast<std::size_t>(i);
    const std::uint64_t begin = at == 0 ? 0 : ends_[at - 1];
    return std::string_view(text_).substr(begin, ends_[at] - begin);
  }
  /// Position of a name in a sorted list, or -1.
  std::int64_t find(std::string_view name) const {
    std::int64_t low = 0, high = size();
    while (low < high) {
      const std::int64_t middle = low + (high - low) / 2;
      if ((*this)[middle] < name)
        low = middle + 1;
      else
        high = middle;
    }
    return low < size() && (*this)[low] == name ? low : -1;
  }
  /// Takes a name out, which may not be there.
  void remove(std::string_view name) {
    NameList rest;
    for (std::int64_t i = 0; i < size(); ++i)
      if ((*this)[i] != name) rest.add((*this)[i]);
    *this = std::move(rest);
  }
  void sort() {
    std::vector<std::int64_t> order(ends_.size());
    std::iota(order.begin(), order.end(), 0);
    std::ranges::sort(order, {}, [this](std::int64_t i) { return (*this)[i]; });
    NameList sorted;
    sorted.text_.reserve(text_.size());
    sorted.ends_.reserve(ends_.size());
    for (const auto i : order) sorted.add((*this)[i]);
    *this = std::move(sorted);
  }

 private:
  std::string text_;
  std::vector<std::uint64_t> ends_;
};

}  // namespace edmund
