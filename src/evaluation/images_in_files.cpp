#include "edmund/evaluation/images_in_files.h"

#include "edmund/core/error.h"
#include "edmund/io/tensor_file.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <utility>
#include <vector>

namespace edmund {
namespace {

class ImagesInFiles final : public Dataset {
 public:
  ImagesInFiles(std::string name, std::int64_t count, std::int64_t block,
                std::function<std::filesystem::path(std::int64_t)> file)
      : block_(block), file_(std::move(file)), info_{.name = std::move(name), .size = count} {
    const Tensor first = read_tensors(file_(0)).at("images");
    require(first.dim() == 4, "{}: 'images' has {} dimensions, expected 4", file_(0).string(), first.dim());
    info_.channels = first.size(1), info_.height = first.size(2), info_.width = first.size(3);
  }

  DatasetInfo info() const override { return info_; }

  Batch read(std::span<const std::int64_t> indices) const override {
    std::vector<Tensor> parts;
    for (std::size_t i = 0; i < indices.size();) {
      const std::int64_t first = indices[i] / block_ * block_;
      std::vector<std::int64_t> rows;  // of this file
      for (; i < indices.size() && indices[i] >= first && indices[i] < first + block_; ++i)
        rows.push_back(indices[i] - first);
      const Tensor images = read_tensors(file_(first)).at("images");
      const std::int64_t expected = std::min(block_, info_.size - first);
      require(images.scalar_type() == at::kByte &&
                  images.sizes() == at::IntArrayRef({expected, info_.channels, info_.height, info_.width}),
              "{}: 'images' does not have the shape or type of {} images like the first", file_(first).string(),
              expected);
      parts.push_back(images.index_select(0, at::tensor(rows)));
    }
    const auto size = static_cast<std::int64_t>(indices.size());
    if (parts.empty()) parts.push_back(at::empty({0, info_.channels, info_.height, info_.width}, at::kByte));
    return {at::cat(parts), at::zeros({size}, at::kLong)};
  }

 private:
  std::int64_t block_;
  std::function<std::filesystem::path(std::int64_t)> file_;
  DatasetInfo info_;
};

}  // namespace

std::unique_ptr<Dataset> images_in_files(std::string name, std::int64_t count, std::int64_t block,
                                         std::function<std::filesystem::path(std::int64_t first)> file) {
  return std::make_unique<ImagesInFiles>(std::move(name), count, block, std::move(file));
}

}  // namespace edmund
