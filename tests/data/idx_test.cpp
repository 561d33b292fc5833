#include "data/helpers.h"
#include "support/catch.h"

#include <ATen/ATen.h>

using namespace edmund;
using namespace edmund::testing;

namespace {

std::string bytes_of(const Tensor& images) {
  const Tensor flat = images.contiguous();
  return {reinterpret_cast<const char*>(flat.data_ptr<std::uint8_t>()), static_cast<std::size_t>(flat.numel())};
}

}  // namespace

TEST_CASE("IDX files are read, plain or compressed, with and without labels", "[data]") {
  const TemporaryFolder folder;
  const Tensor images = picture(3, 4, 5);  // three images of 4x5
  const std::string idx = idx_bytes({3, 4, 5}, bytes_of(images));
  const auto compressed = GENERATE(false, true);
  const auto file = folder.write("images", compressed ? gzipped(idx) : idx);
  const auto labels = folder.write("labels", compressed ? gzipped(idx_bytes({3}, "\2\1\2")) : idx_bytes({3}, "\2\1\2"));
  const auto plain = dataset_of(format("{type: idx, images: {}}", file));
  CHECK(plain->info().size == 3);
  CHECK(plain->info().num_classes == 0);
  CHECK(read_all(*plain).images.equal(images.unsqueeze(1)));
  CHECK(labels_of(*plain) == std::vector<std::int64_t>{0, 0, 0});
  const auto labelled = dataset_of(format("{type: idx, images: {}, labels: {}}", file, labels));
  CHECK(labelled->info().num_classes == 3);
  CHECK(labels_of(*labelled) == std::vector<std::int64_t>{2, 1, 2});
  const auto more = dataset_of(format("{type: idx, images: {}, labels: {}, num_classes: 7}", file, labels));
  CHECK(more->info().num_classes == 7);
}

TEST_CASE("images read in any order, and twice, are those of their indices", "[data]") {
  const TemporaryFolder folder;
  const Tensor images = picture(6, 2, 2);
  const auto idx =
      dataset_of(format("{type: idx, images: {}}", folder.write("x.idx", idx_bytes({6, 2, 2}, bytes_of(images)))));
  const std::vector<std::int64_t> indices = {5, 0, 5, 3};
  const Tensor expected = images.index_select(0, at::tensor(indices)).unsqueeze(1);
  CHECK(idx->read(indices).images.equal(expected));
}
