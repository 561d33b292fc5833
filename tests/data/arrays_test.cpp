// Latents as .npy files: an archive of real numbers.

#include "data/helpers.h"
#include "edmund/core/files.h"
#include "edmund/data/dataset_archive.h"
#include "edmund/data/image_check.h"
#include "edmund/data/loader.h"
#include "edmund/io/image_io.h"
#include "edmund/io/npy_array.h"
#include "support/catch.h"

#include <ATen/ATen.h>
#include <cmath>

using namespace edmund;
using namespace edmund::testing;

namespace {

Tensor latent(std::int64_t i, std::int64_t channels = 4) {
  return at::arange(channels * 6, at::kFloat).view({channels, 2, 3}) / 7 + static_cast<double>(i);
}

std::string archive(const TemporaryFolder& folder, const std::vector<Tensor>& all, const std::string& stem = "img") {
  Files files;
  std::string labels;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::string name = format("00000/{}0000000{}.npy", stem, i);
    files.emplace_back(name, npy_bytes(all[i]));
    labels += format(R"({}["{}", {}])", i == 0 ? "" : ", ", name, i % 2);
  }
  files.emplace_back("dataset.json", format(R"({"labels": [{}]})", labels));
  return folder.write("latents.zip", zip_bytes(folder, files));
}

std::string read_as(const std::string& root, const std::string& more = "") {
  return format("{type: edm-zip, root: {}{}}", root, more);
}

}  // namespace

TEST_CASE("real numbers of an archive are taken as they are, with classes", "[data]") {
  const TemporaryFolder folder;
  for (const auto type : {at::kFloat, at::kDouble, at::kHalf}) {
    const auto root = archive(folder, {latent(0).to(type), latent(1).to(type), latent(2).to(type)});
    const auto set = dataset_of(read_as(root));
    const auto info = set->info();
    CHECK(info.floats);
    CHECK((info.channels == 4 && info.height == 2 && info.width == 3 && info.size == 3));
    CHECK(labels_of(*set) == std::vector<std::int64_t>{0, 1, 0});
    REQUIRE(image_of(*set, 1).scalar_type() == at::kFloat);
    CHECK(image_of(*set, 1).equal(latent(1).to(type).to(at::kFloat)));
  }
}

TEST_CASE("latents are scaled by channel as asked, and means are the first half of their channels", "[data]") {
  const TemporaryFolder folder;
  const auto root = archive(folder, {latent(0, 4), latent(1, 4)}, "img-mean-std-");
  const auto set =
      dataset_of(read_as(root, ", latents: mean, latent_mean: [1, 2], latent_std: [4, 8], latent_scale: 0.5"));
  REQUIRE(set->info().channels == 2);
  const Tensor x = latent(1, 4).narrow(0, 0, 2), mean = at::tensor({1.0, 2.0}).view({2, 1, 1}),
               std = at::tensor({4.0, 8.0}).view({2, 1, 1});
  CHECK(image_of(*set, 1).allclose(((x.to(at::kDouble) - mean) / std * 0.5).to(at::kFloat), 1e-6, 1e-6));
  CHECK(contains(error_of([&] { dataset_of(read_as(root)); }), "`latents: mean` takes the means"));
}

TEST_CASE("the loader flips real numbers as it flips pixels, and statistics are those of the values", "[data]") {
  const TemporaryFolder folder;
  const auto set = dataset_of(read_as(archive(folder, {latent(0), latent(1)})));
  Loader loader(*set, {.batch_size = 16, .threads = 0, .seed = 1, .flip = true});
  const auto batch = loader.next();
  int flips = 0;
  for (std::int64_t k = 0; k < 16; ++k) {
    const Tensor own = image_of(*set, data_index(k, 2, 1));
    const bool flipped = batch.images[k].equal(own.flip(2));
    CHECK((flipped || batch.images[k].equal(own)));
    flips += flipped ? 1 : 0;
  }
  CHECK((flips > 2 && flips < 14));
  const Tensor all = at::stack({latent(0), latent(1)}).to(at::kDouble);
  const auto found = statistics(*set);
  CHECK_THAT(found.mean, Catch::Matchers::WithinAbs(all.mean().item<double>(), 1e-6));
  CHECK_THAT(found.std, Catch::Matchers::WithinAbs(all.std(false).item<double>(), 1e-6));
  REQUIRE(found.channel_std.size() == 4);
  CHECK_THAT(found.channel_mean[2], Catch::Matchers::WithinAbs(all.select(1, 2).mean().item<double>(), 1e-6));
  CHECK_THAT(found.channel_std[2], Catch::Matchers::WithinAbs(all.select(1, 2).std(false).item<double>(), 1e-6));
}

TEST_CASE("an archive of real numbers is written as .npy and read back bit for bit", "[data]") {
  const TemporaryFolder folder;
  Options options = Options::read_text(read_as(archive(folder, {latent(0), latent(1)})), "test.yaml");
  const auto source = open_data(options).source;
  write_archive(source, {}, folder / "again.zip");
  const auto set = dataset_of(read_as(folder / "again.zip"));
  for (std::int64_t i = 0; i < 2; ++i) CHECK(image_of(*set, i).equal(latent(i)));
  CHECK(contains(error_of([&] { write_archive(source, {.width = 2, .height = 2}, folder / "no.zip"); }),
                 "without --resolution"));
}

TEST_CASE("arrays of bytes are pixels", "[data]") {
  const TemporaryFolder folder;
  const auto set = dataset_of(read_as(archive(folder, {picture(3, 2, 3, 0), picture(3, 2, 3, 1)})));
  CHECK_FALSE(set->info().floats);
  CHECK(image_of(*set, 1).equal(picture(3, 2, 3, 1)));
}

TEST_CASE("arrays that are no images, damaged or mixed are refused in one line", "[data]") {
  const auto told = [](const Files& files, std::string_view part, const std::string& more = "") {
    const TemporaryFolder folder;
    const auto root = folder.write("x.zip", zip_bytes(folder, files));
    const auto message = error_of([&] { require_whole(examined(*dataset_of(read_as(root, more)))); });
    INFO(message);
    CHECK(contains(message, part));
    CHECK_FALSE(contains(message, "\n"));
  };
  const std::string good = npy_bytes(latent(0));
  told({{"a.npy", npy_bytes(at::zeros({3}))}}, "expected an array [C, H, W]");
  told({{"a.npy", good.substr(0, good.size() - 4)}}, "its shape needs");
  told({{"a.npy", "x"}}, "not an array of NumPy");
  told({{"a.npy", "x"}, {"b.npy", good}}, "a.npy: not an array of NumPy");
  told({{"a.npy", npy_bytes(at::zeros({1, 2, 2}, at::kLong))}}, "real numbers");
  told({{"a.npy", npy_bytes(at::full({1, 2, 2}, NAN))}}, "not finite");
  told({{"a.npy", good}, {"b.npy", npy_bytes(latent(0, 2))}}, "images of one kind");
  told({{"a.npy", good}, {"b.png", png_bytes(picture(3, 2, 3))}}, "both images (b.png) and arrays (a.npy)");
  told({{"a.npy", good}}, "4 channels, but `latent_mean`", ", latent_mean: [1, 2]");
  told({{"a.npy", npy_bytes(latent(0, 3))}}, "two halves", ", latents: mean");
  told({{"a.npy", npy_bytes(picture(3, 2, 3))}}, "pixels; options of latents", ", latent_scale: 2");
  told({{"a.npy", good}}, "not resized", ", size: 8, resize: area");
}
