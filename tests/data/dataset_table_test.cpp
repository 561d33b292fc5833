// What every data set of the table is held to, shown on the example that its row writes.
#include "data/helpers.h"
#include "edmund/core/files.h"
#include "support/catch.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <numeric>
#include <set>

using namespace edmund;
using namespace edmund::testing;

namespace {

std::vector<std::string> dataset_names() {
  std::vector<std::string> out;
  for (const auto& entry : dataset_table()) out.emplace_back(entry.name);
  return out;
}

const DatasetEntry& entry_of(std::string_view name) {
  return *std::ranges::find(dataset_table(), name, &DatasetEntry::name);
}

// The example of a data set, and the config that reads it.
struct Example {
  explicit Example(const std::string& name) : config(entry_of(name).example(folder.path())) {}

  std::vector<std::filesystem::path> files() const {
    std::vector<std::filesystem::path> out;
    for (const auto& file : std::filesystem::recursive_directory_iterator(folder.path()))
      if (file.is_regular_file()) out.push_back(file.path());
    return out;
  }

  TemporaryFolder folder;
  std::string config;
};

// What opening and reading says, which must be one line.
std::string refusal(const std::string& config) {
  const std::string message = error_of([&] { read_all(*dataset_of(config)); });
  CHECK_FALSE(contains(message, "\n"));
  return message;
}

}  // namespace

TEST_CASE("the data sets have names of their own, in order, a description and a source", "[data]") {
  const auto names = dataset_names();
  CHECK(std::ranges::is_sorted(names, std::ranges::less_equal()));
  for (const auto& entry : dataset_table()) {
    INFO(entry.name);
    CHECK(!entry.about.empty());
    CHECK(!entry.source.empty());
    CHECK(contains(Example(std::string(entry.name)).config, format("type: {}", entry.name)));
  }
}

TEST_CASE("what a data set says of itself agrees with what it reads", "[data]") {
  const Example example(GENERATE(from_range(dataset_names())));
  INFO(example.config);
  const auto set = dataset_of(example.config);
  const DatasetInfo info = set->info();
  CHECK(!info.name.empty());
  CHECK(info.size >= 2);
  CHECK((info.channels == 1 || info.channels == 3));
  const Batch all = read_all(*set);
  CHECK(all.images.scalar_type() == at::kByte);
  CHECK(all.images.sizes() == at::IntArrayRef{info.size, info.channels, info.height, info.width});
  CHECK(all.labels.scalar_type() == at::kLong);
  CHECK(all.labels.sizes() == at::IntArrayRef{info.size});
  CHECK(all.labels.min().item<std::int64_t>() >= 0);
  CHECK(all.labels.max().item<std::int64_t>() < std::max<std::int64_t>(info.num_classes, 1));
  CHECK((info.class_names.empty() || std::ssize(info.class_names) == info.num_classes));
  CHECK(std::set(info.class_names.begin(), info.class_names.end()).size() == info.class_names.size());
  for (const auto& name : info.class_names) CHECK(!name.empty());
}

TEST_CASE("a data set reads any indices, in any order and number, the same each time", "[data]") {
  const Example example(GENERATE(from_range(dataset_names())));
  INFO(example.config);
  const auto set = dataset_of(example.config), again = dataset_of(example.config);
  const Batch all = read_all(*set);
  const std::int64_t size = set->info().size;
  for (std::int64_t i = 1; i < size; ++i) CHECK_FALSE(all.images[i].equal(all.images[0]));
  std::vector<std::int64_t> indices(static_cast<std::size_t>(size));
  std::iota(indices.rbegin(), indices.rend(), 0);
  indices.insert(indices.end(), {0, size - 1, 0});
  const Tensor rows = at::tensor(indices, at::kLong);
  for (const Dataset* some : {set.get(), again.get()}) {
    const Batch read = some->read(indices);
    CHECK(read.images.equal(all.images.index_select(0, rows)));
    CHECK(read.labels.equal(all.labels.index_select(0, rows)));
  }
}

TEST_CASE("a data set whose files are gone is refused in one line that says where they should be", "[data]") {
  const Example example(GENERATE(from_range(dataset_names())));
  std::filesystem::remove_all(example.folder.path());
  CHECK(contains(refusal(example.config), example.folder.path().string()));
}

TEST_CASE("a data set with any of its files cut short is refused in one line", "[data]") {
  const Example example(GENERATE(from_range(dataset_names())));
  for (const auto& file : example.files()) {
    INFO(file);
    const std::string whole = read_file(file);
    write_file(file, whole.substr(0, whole.size() / 2));
    CHECK_FALSE(refusal(example.config).empty());
    write_file(file, whole);
  }
  CHECK(refusal(example.config).empty());
}

TEST_CASE("a key that a data set does not know is refused", "[data]") {
  const Example example(GENERATE(from_range(dataset_names())));
  std::string config = example.config;
  config.insert(1, "splitt: 3, ");
  CHECK(contains(refusal(config), "splitt"));
}
