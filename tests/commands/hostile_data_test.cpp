// Data sets and tensors that are made to harm whoever reads them: small files that promise
// gigabytes, texts that do something to a terminal, more tensors than anybody has. Each ends within
// a second and 256 MB of memory.
#include "edmund/io/npz.h"
#include "edmund/io/tensor_file.h"
#include "support/catch.h"
#include "support/file_formats.h"
#include "support/measured.h"

#include <algorithm>
#include <ATen/ops/zeros.h>

namespace edmund::testing {
namespace {

constexpr double kSeconds = 1.5;

}  // namespace

TEST_CASE("small files that promise gigabytes are refused fast and in little memory", "[commands]") {
  const TemporaryFolder folder;
  const auto config = [&](const std::string& name, const std::string& data) {
    std::string text = small_config();
    const std::size_t at = text.find("data:");
    write_text(folder.path() / (name + ".yaml"), text.replace(at, text.find('\n', at) - at, "data: " + data));
  };
  // 4 GB in 4 MB: a header and 64 streams of zeros
  const std::string zeros = gzipped(std::string(64 << 20, '\0'));
  std::string bomb = gzipped(idx_bytes({1 << 22, 32, 32}, ""));
  for (int i = 0; i < 64; ++i) bomb += zeros;
  write_text(folder.path() / "bomb.idx.gz", bomb);
  config("idx", "{type: idx, images: bomb.idx.gz}");
  check_refused(folder.path(), "inspect idx.yaml", "more than 128 times its size", kSeconds);

  write_text(
      folder.path() / "set.zip",
      zip_bytes(folder, {{"dataset.json", "{\"labels\": [" + std::string(100 << 20, '[')}, {"a.png", "x"}}, true));
  config("zip", "{type: edm-zip, root: set.zip}");
  check_refused(folder.path(), "inspect zip.yaml", "'dataset.json' would be more than 128 times its compressed size",
                kSeconds);

  std::string lists = "{\"labels\": [";
  for (int i = 0; i < 4'000'000; ++i) lists += i % 3 == 0 ? "[]," : "{},";
  write_text(folder.path() / "lists.zip", zip_bytes(folder, {{"dataset.json", lists + "1]}"}, {"a.png", "x"}}, true));
  config("lists", "{type: edm-zip, root: lists.zip}");
  check_refused(folder.path(), "inspect lists.yaml", "dataset.json: 12000", kSeconds);

  {  // let go before a process is begun, which counts what its parent holds
    const std::string covariance = npz_bytes({{"sigma", at::zeros({3000, 3000}, at::kDouble)}}, {});
    write_text(
        folder.path() / "statistics.npz",
        zip_bytes(folder, {{"sigma.npy", covariance}, {"mu.npy", npz_bytes({{"mu", at::zeros({3000})}}, {})}}, true));
  }
  config("npz", "{type: npz, file: statistics.npz, images: sigma}");
  check_refused(folder.path(), "inspect npz.yaml", "'sigma.npy' would be more than 128 times its compressed size",
                kSeconds);
}

TEST_CASE("200,000 tensors are listed fast, and names of files do nothing to a terminal", "[commands]") {
  const TemporaryFolder folder;
  std::string header = "{";
  for (int i = 0; i < 200'000; ++i)
    header += (i > 0 ? ",\"" : "\"") + std::to_string(i) + R"(":{"dtype":"F32","shape":[0],"data_offsets":[0,0]})";
  header += "}";
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(header.size() >> (8 * i) & 0xff);
  write_text(folder.path() / "many.safetensors", bytes + header);
  for (const char* command : {"inspect many.safetensors", "convert many.safetensors out --quiet"}) {
    const Measured many = measured(folder.path(), command);
    INFO(command << ": " << many.seconds << " s, " << many.megabytes << " MB, " << many.outcome.output.substr(0, 300));
    CHECK(many.seconds < 6.0);
    CHECK(many.megabytes < 1024.0);
  }
  write_text(folder.path() / "odd.safetensors", tensor_bytes({{"\x1b[2Jgone\xc2\x9b", at::zeros({1})}}));
  const Outcome odd = edmund_run(folder.path(), "inspect odd.safetensors");
  INFO(odd.output);
  CHECK(odd.code == 0);
  CHECK(odd.output.find("\\x1b[2Jgone\\u009b") != std::string::npos);
  CHECK(odd.output.find('\x1b') == std::string::npos);
  const Outcome missing = edmund_run(folder.path(), "inspect 'no\x1b[2J.yaml'");
  CHECK(missing.code == 2);
  CHECK(missing.output.find("no\\x1b[2J.yaml: no such file") != std::string::npos);
}

}  // namespace edmund::testing
