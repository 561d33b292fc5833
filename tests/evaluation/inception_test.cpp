#include "edmund/evaluation/inception.h"

#include "edmund/core/error.h"
#include "edmund/core/files.h"
#include "edmund/evaluation/features.h"
#include "edmund/evaluation/resize.h"
#include "edmund/evaluation/scores.h"
#include "edmund/io/tensor_file.h"
#include "helpers.h"
#include "support/catch.h"

#include <filesystem>
#include <unistd.h>

using namespace edmund;
using testing::FormulaWeights;
using testing::MemoryDataset;

namespace {

/// The whole network with formula weights in a file that goes away.
struct File {
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("edmund_inception_" + std::to_string(::getpid()) + ".safetensors");
  TensorFile content = testing::inception_weights(inception_layers(), FormulaWeights{.salt = 1, .gain = 2.0});
  void write() const { write_file(path, tensor_bytes({content.tensors.begin(), content.tensors.end()})); }
  File() { write(); }
  ~File() { std::filesystem::remove(path); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
};

std::unique_ptr<FeatureExtractor> extractor(const File& file, const std::string& resize) {
  const MemoryDataset data("none", at::zeros({2, 3, 8, 8}, at::kByte), at::zeros({2}, at::kLong), 0);
  Options options =
      Options::read_text("{type: inception, file: '" + file.path.string() + "', resize: " + resize + "}", "test");
  auto features = make_features(options, {.labeled = data});
  options.finish();
  return features;
}

Tensor images(std::int64_t count, std::int64_t channels) {
  return (at::arange(count * channels * 32 * 32) * 37 % 251).view({count, channels, 32, 32}).to(at::kByte);
}

}  // namespace

TEST_CASE("Inception features are the network's of images resized and scaled as the convention says",
          "[evaluation][slow]") {
  const File file;
  const InceptionV3 network(file.content);
  const Tensor x = images(3, 3);
  struct Case {
    const char* resize;
    Resize method;
    double center, scale;
    const char *frechet, *kernel;
  };
  std::vector<std::string> fingerprints;
  for (const auto& [resize, method, center, scale, frechet, kernel] :
       {Case{"tf1", Resize::kTf1Bilinear, 128, 128, "FID", "KID"},
        Case{"bilinear", Resize::kBilinear, 127.5, 127.5, "FID (bilinear resize)", "KID (bilinear resize)"},
        Case{"clean", Resize::kPilBicubic, 128, 128, "clean-FID", "clean-KID"}}) {
    INFO(resize);
    const auto features = extractor(file, resize);
    const Tensor found = features->extract(x);
    const Tensor expected = network.features((resized_batch(x, 299, 299, method) - center) / scale);
    CHECK(found.sizes() == at::IntArrayRef({3, 2048}));
    CHECK((found - expected).abs().max().item<double>() <= 1e-6 * expected.abs().max().item<double>());
    CHECK(features->literature_names()->frechet == frechet);
    CHECK(metric_names(*features, 2048).kernel == kernel);
    fingerprints.push_back(features->fingerprint());
  }
  CHECK(fingerprints[0] != fingerprints[1]);
  CHECK(fingerprints[0] != fingerprints[2]);
}

TEST_CASE("grey images have the features of their channel repeated, and a batch those of its images", "[evaluation]") {
  const File file;
  const auto features = extractor(file, "tf1");
  const Tensor grey = images(2, 1);
  const Tensor found = features->extract(grey);
  CHECK(at::equal(found, features->extract(grey.repeat({1, 3, 1, 1}))));
  const Tensor alone = features->extract(grey.narrow(0, 1, 1));
  CHECK((found[1] - alone[0]).abs().max().item<double>() <= 1e-5 * found.abs().max().item<double>());
  CHECK_THROWS_AS(features->extract(images(1, 2)), Error);
}

TEST_CASE("Inception's fingerprint is of the weights, not of the file", "[evaluation][slow]") {
  File file;
  const std::string before = extractor(file, "tf1")->fingerprint();
  file.content.tensors["fc.bias"] = at::ones({1008});
  file.content.tensors["Mixed_5b.branch1x1.bn.num_batches_tracked"] = at::tensor(3);
  file.write();
  CHECK(extractor(file, "tf1")->fingerprint() == before);
  file.content.tensors["Mixed_7c.branch_pool.bn.bias"][5] += 1e-3;
  file.write();
  CHECK(extractor(file, "tf1")->fingerprint() != before);
}

TEST_CASE("weights of another network are refused by name", "[evaluation]") {
  TensorFile file = testing::inception_weights(inception_layers(), FormulaWeights{.salt = 1, .gain = 2.0});
  const auto refusal = [&] {
    try {
      const InceptionV3 network(file);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK(refusal().empty());
  const auto whole = file.tensors;
  file.tensors["fc.weight"] = at::zeros({1000, 2048});
  CHECK(refusal().find("torchvision") != std::string::npos);
  file.tensors = whole;
  file.tensors["Mixed_6b.branch7x7_2.conv.weight"] = at::zeros({128, 128, 7, 1});
  CHECK(refusal().find("'Mixed_6b.branch7x7_2.conv.weight'") != std::string::npos);
  file.tensors = whole;
  file.tensors.erase("Mixed_7a.branch3x3_1.bn.running_var");
  CHECK(refusal().find("Mixed_7a.branch3x3_1.bn.running_var") != std::string::npos);
}
