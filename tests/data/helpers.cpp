#include "data/helpers.h"

namespace edmund::testing {

std::unique_ptr<Dataset> dataset_of(const std::string& yaml) {
  Options options = Options::read_text(yaml, "test.yaml");
  std::unique_ptr<Dataset> dataset;
  if (const auto mistake = error_of([&] { dataset = make_dataset(options); }); !mistake.empty())
    options.reject("", mistake);
  options.finish();
  return dataset;
}

Tensor image_of(const Dataset& dataset, std::int64_t i) { return dataset.read(std::span(&i, 1)).images[0]; }

std::vector<std::int64_t> labels_of(const Dataset& dataset) {
  const Tensor labels = read_all(dataset).labels;
  return {labels.data_ptr<std::int64_t>(), labels.data_ptr<std::int64_t>() + labels.numel()};
}

}  // namespace edmund::testing
