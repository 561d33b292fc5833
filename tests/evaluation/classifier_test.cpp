#include "edmund/evaluation/classifier.h"

#include "edmund/core/error.h"
#include "edmund/core/files.h"
#include "edmund/core/options.h"
#include "edmund/core/stop.h"
#include "edmund/io/tensor_file.h"
#include "helpers.h"
#include "support/catch.h"
#include "support/temporary_folder.h"

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>

using namespace edmund;
using testing::MemoryDataset;
using testing::stripes;

namespace {

const ClassifierSettings kSmall{.channels = 8, .features = 16, .epochs = 6, .batch_size = 32, .seed = 3};

}  // namespace

TEST_CASE("the classifier learns classes that it can tell apart, and judges images that it has not seen",
          "[evaluation]") {
  const auto side = GENERATE(8, 28);
  const auto train = stripes(300, 1, side), test = stripes(200, 2, side);
  const Classifier classifier = Classifier::train(train, kSmall);
  const Estimate accuracy = classifier.accuracy(test.all().images, test.all().labels);
  CHECK(accuracy.value >= 0.97);
  CHECK(std::abs(accuracy.error - std::sqrt(accuracy.value * (1 - accuracy.value) / 200)) < 1e-12);
  CHECK(classifier.features(test.all().images).sizes() == at::IntArrayRef({200, 16}));
  CHECK(classifier.num_classes() == 3);
  CHECK(classifier.data_name() == "stripes");
}

TEST_CASE("the same data and settings give the same classifier, another seed another one", "[evaluation]") {
  const auto data = stripes(96, 4);
  const Tensor images = stripes(20, 5).all().images;
  ClassifierSettings settings = kSmall;
  settings.epochs = 2;
  at::manual_seed(1);
  const Tensor first = Classifier::train(data, settings).features(images);
  at::manual_seed(2);
  const Tensor state = at::globalContext().defaultGenerator(at::kCPU).get_state().clone();
  CHECK(at::equal(Classifier::train(data, settings).features(images), first));
  CHECK(at::equal(at::globalContext().defaultGenerator(at::kCPU).get_state(),
                  state));  // the global generator is not used
  settings.seed = 4;
  CHECK_FALSE(at::equal(Classifier::train(data, settings).features(images), first));
}

TEST_CASE("features do not depend on the batch", "[evaluation]") {
  const Classifier classifier = Classifier::train(stripes(96, 6), kSmall);
  const Tensor images = stripes(1100, 7).all().images;
  const Tensor all = classifier.features(images), some = classifier.features(images.narrow(0, 600, 5));
  CHECK((all.narrow(0, 600, 5) - some).abs().max().item<double>() <= 1e-5 * all.abs().max().item<double>());
  CHECK(at::equal(classifier.predict(images.narrow(0, 600, 5)), classifier.predict(images).narrow(0, 600, 5)));
}

TEST_CASE("a classifier comes back from its file as it was", "[evaluation]") {
  const testing::TemporaryFolder folder;
  const Classifier classifier = Classifier::train(stripes(96, 8), kSmall);
  classifier.write(folder.path() / "c.safetensors");
  const Classifier again = Classifier::read(folder.path() / "c.safetensors");
  const Tensor images = stripes(50, 9).all().images;
  CHECK(at::equal(again.features(images), classifier.features(images)));
  CHECK(again.data_name() == "stripes");
}

TEST_CASE("a kept classifier is used again for the same data and settings only", "[evaluation]") {
  const testing::TemporaryFolder folder;
  const auto files = [&] {
    return std::distance(std::filesystem::directory_iterator(folder.path()), std::filesystem::directory_iterator());
  };
  ClassifierSettings settings = kSmall;
  settings.epochs = 1;
  const auto data = stripes(64, 10);
  const Tensor images = stripes(9, 11).all().images;
  const Tensor first = Classifier::cached(data, settings, folder.path()).features(images);
  REQUIRE(files() == 1);
  // Another classifier in the file's place: proof that the file is what is used.
  const Classifier other = Classifier::train(stripes(64, 12), settings);
  other.write(std::filesystem::directory_iterator(folder.path())->path());
  CHECK(at::equal(Classifier::cached(data, settings, folder.path()).features(images), other.features(images)));
  CHECK(files() == 1);
  settings.seed = 99;
  Classifier::cached(data, settings, folder.path());
  CHECK(files() == 2);
  Classifier::cached(stripes(64, 13), settings, folder.path());
  CHECK(files() == 3);
}

TEST_CASE("a classifier's training that is interrupted goes on to the same weights", "[evaluation]") {
  const testing::TemporaryFolder whole, often;
  // Asks for a stop from another thread after some milliseconds.
  class Alarm {
   public:
    explicit Alarm(std::chrono::milliseconds wait)
        : thread_([=] {
            std::this_thread::sleep_for(wait);
            StopRequest::request();
          }) {}
    ~Alarm() { thread_.join(); }

   private:
    std::thread thread_;
  };
  const auto data = stripes(128, 17);
  const std::string expected = Classifier::cached(data, kSmall, whole.path()).fingerprint();
  std::string found;
  int interrupted = 0;
  while (found.empty()) {
    const StopRequest stop;
    const Alarm alarm(std::chrono::milliseconds(10));
    try {
      found = Classifier::cached(data, kSmall, often.path()).fingerprint();
    } catch (const Interrupted&) {
      ++interrupted;
      REQUIRE(interrupted < 1000);
    }
  }
  CHECK(found == expected);
  CHECK(interrupted > 0);
  for (const auto& entry : std::filesystem::directory_iterator(often.path()))
    CHECK(entry.path().extension() == ".safetensors");
}

TEST_CASE("a training of a classifier that is damaged on the disk begins anew", "[evaluation]") {
  const testing::TemporaryFolder folder;
  const auto data = stripes(64, 18);
  const auto fingerprint = [&] { return Classifier::cached(data, kSmall, folder.path()).fingerprint(); };
  const std::string expected = fingerprint();
  auto file = std::filesystem::directory_iterator(folder.path())->path();
  std::filesystem::remove(file);
  write_file(file.replace_extension(".unfinished"), "edmund-classifier-training 1 0123456789abcdef\nno tensors");
  CHECK(fingerprint() == expected);
}

TEST_CASE("classifier files with wrong content are refused", "[evaluation]") {
  const testing::TemporaryFolder folder;
  const auto path = folder.path() / "c.safetensors";
  Classifier::train(stripes(64, 14), {.channels = 4, .features = 8, .epochs = 1}).write(path);
  const TensorFile good = read_tensors(path);
  const auto rewritten = [&](const std::map<std::string, std::string>& changes, const std::string& dropped = "") {
    auto metadata = good.metadata;
    for (const auto& [key, value] : changes) metadata[key] = value;
    std::vector<std::pair<std::string, Tensor>> tensors;
    for (const auto& [name, tensor] : good.tensors)
      if (name != dropped) tensors.emplace_back(name, tensor);
    write_file(path, tensor_bytes(tensors, metadata));
  };
  for (const auto& changes : std::vector<std::map<std::string, std::string>>{{{"format", "other"}},
                                                                             {{"shape", "1 8 8"}},
                                                                             {{"shape", "1 8 8 0"}},
                                                                             {{"shape", "1 8 8 x"}},
                                                                             {{"shape", "1 8 8 4"}},
                                                                             {{"network", "4 9"}},
                                                                             {{"network", "99999999 8"}}}) {
    rewritten(changes);
    CHECK_THROWS_AS(Classifier::read(path), Error);
  }
  rewritten({}, "hidden.bias");
  CHECK_THROWS_AS(Classifier::read(path), Error);
  rewritten({});
  CHECK_NOTHROW(Classifier::read(path));
}

TEST_CASE("the classifier refuses data without classes, labels out of range and images of another shape",
          "[evaluation]") {
  const auto data = stripes(64, 15);
  CHECK_THROWS_AS(Classifier::train(MemoryDataset("plain", data.all().images, data.all().labels, 0), kSmall), Error);
  CHECK_THROWS_AS(Classifier::train(MemoryDataset("labels", data.all().images, data.all().labels + 1, 3), kSmall),
                  Error);
  const Classifier classifier = Classifier::train(data, {.channels = 4, .features = 8, .epochs = 1});
  CHECK_THROWS_AS(classifier.features(stripes(4, 16, 9).all().images), Error);
}

TEST_CASE("the classifier names at least 98 % of held-out digits", "[evaluation][slow]") {
  Options train_options = Options::read_text("{type: digits, split: train}", "train"),
          test_options = Options::read_text("{type: digits, split: test}", "test");
  const auto train = make_dataset(train_options), test = make_dataset(test_options);
  const Batch held_out = read_all(*test);
  for (const std::uint64_t seed : {0, 1, 2})
    CHECK(Classifier::train(*train, {.seed = seed}).accuracy(held_out.images, held_out.labels).value >= 0.98);
}
