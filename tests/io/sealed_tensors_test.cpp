#include "edmund/io/sealed_tensors.h"

#include "edmund/core/files.h"
#include "edmund/core/log.h"
#include "support/catch.h"
#include "support/temporary_folder.h"

#include <ATen/ATen.h>

using namespace edmund;
using namespace edmund::testing;

TEST_CASE("no bit of sealed tensors changes, and no byte is lost or added, without being found", "[io]") {
  const TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "block.safetensors";
  const std::vector<std::pair<std::string, Tensor>> tensors = {{"images", at::arange(12, at::kByte).view({3, 4})},
                                                               {"values", at::full({2}, 0.5)}};
  const std::string bytes = sealed_tensor_bytes(tensors, {{"nfe", "5"}, {"seconds", "0.25"}});
  const auto is_taken = [&](const std::string& content) {
    write_file(file, content);
    return sealed_tensors(file, "it is drawn again").has_value();
  };
  REQUIRE(is_taken(bytes));
  const auto found = sealed_tensors(file, "");
  CHECK(found->at("images").equal(tensors[0].second));
  CHECK(found->metadata.at("nfe") == "5");

  log::set_level(log::Level::kOff);  // a warning each
  std::size_t refused = 0;
  for (std::size_t at = 0; at < bytes.size(); ++at)
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = bytes;
      changed[at] = static_cast<char>(changed[at] ^ (1 << bit));
      INFO("byte " << at << ", bit " << bit);
      const bool taken = is_taken(changed);
      CHECK_FALSE(taken);
      refused += taken ? 0 : 1;
    }
  CHECK(refused == 8 * bytes.size());
  for (std::size_t size = 0; size < bytes.size(); ++size) CHECK_FALSE(is_taken(bytes.substr(0, size)));
  CHECK_FALSE(is_taken(bytes + '\0'));
  log::set_level(log::Level::kInfo);

  CHECK(is_taken(tensor_bytes(tensors, {{"nfe", "5"}})));  // of an older version
  std::filesystem::remove(file);
  CHECK_FALSE(sealed_tensors(file, "").has_value());
}
