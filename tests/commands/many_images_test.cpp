// Memory does not grow with the data: training, stats, evaluate and compare on many images, more
// than are read into memory at once. EDMUND_MANY=1000000 asks for so many.
#include "edmund/core/format.h"
#include "support/catch.h"
#include "support/process.h"

#include <array>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <sys/resource.h>
#include <unistd.h>

namespace edmund::testing {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kBytes = 32 * 32;  // of an image

std::string count_bytes(std::int64_t count) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(count >> shift & 0xFF);
  return out;
}

// So many noisy images of 32x32 pixels and two classes, as IDX files, and a config on them.
void write_many(const fs::path& folder, std::int64_t count) {
  std::ofstream images(folder / "images.idx", std::ios::binary), labels(folder / "labels.idx", std::ios::binary);
  images << std::string("\0\0\x08\x03", 4) << count_bytes(count) << count_bytes(32) << count_bytes(32);
  labels << std::string("\0\0\x08\x01", 4) << count_bytes(count);
  std::array<char, kBytes> pixels;
  std::uint64_t state = 1;
  for (std::int64_t i = 0; i < count; ++i) {
    for (std::size_t pixel = 0; pixel < pixels.size(); ++pixel) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      pixels[pixel] = static_cast<char>((state >> 58) + (pixel / 512 == static_cast<std::size_t>(i % 2) ? 150 : 50));
    }
    images.write(pixels.data(), pixels.size());
    labels.put(static_cast<char>(i % 2));
  }
  write_text(folder / "config.yaml", R"(name: many
data: {type: idx, images: images.idx, labels: labels.idx}
network: {type: unet, channels: 8, multipliers: [1, 1], blocks: 1, attention: []}
training: {images: 64, batch_size: 32, checkpoint_every: 64}
sampling: {grid: {type: karras, steps: 2}, sampler: {type: euler}, batch_size: 32}
evaluation: {images: 64, real: 2000, features: {type: pca, dims: 16, images: 2000}}
)");
  write_text(folder / "compare.yaml", R"(name: c
models: [{name: many, run: runs/many}]
images: 64
real: 2000
distance: {images: 0}
variants: [{name: euler, sampling: {}}]
)");
}

struct Finished {
  int code = -1;
  std::int64_t peak = 0;  // bytes
  std::string output;
};

// Interrupted after so many seconds, unless that is 0.
Finished finished(const fs::path& folder, const std::string& arguments, int interrupted_after = 0) {
  std::string command =
      format("cd '{}'; exec >out.txt 2>&1 </dev/null; {} {}", folder.string(), EDMUND_BINARY, arguments);
  if (interrupted_after > 0) command += format(" & pid=$!; sleep {}; kill -INT $pid; wait $pid", interrupted_after);
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    ::_exit(127);
  }
  int status = 0;
  rusage usage = {};
  Finished out;
  if (::wait4(child, &status, 0, &usage) == child && WIFEXITED(status)) out.code = WEXITSTATUS(status);
  out.peak = usage.ru_maxrss * 1024;
  std::ifstream stream(folder / "out.txt", std::ios::binary);
  out.output.assign(std::istreambuf_iterator<char>(stream), {});
  return out;
}

// Peak memory of each command on so many images.
std::map<std::string, std::int64_t> peaks(std::int64_t count) {
  const TemporaryFolder folder;
  write_many(folder.path(), count);
  std::map<std::string, std::int64_t> out;
  for (const std::string command :
       {"train config.yaml", "stats config.yaml --out real.npz", "evaluate runs/many", "compare compare.yaml"}) {
    // interrupted somewhere on the way
    const Finished half = finished(folder.path(), command, 3);
    INFO(half.output);
    CHECK((half.code == 75 || half.code == 0));
    const Finished whole = finished(folder.path(), command);
    INFO(command << ": " << whole.output);
    CHECK(whole.code == 0);
    out[command] = std::max(whole.peak, half.peak);
  }
  return out;
}

TEST_CASE("memory does not grow with the number of images", "[app][slow]") {
  const char* asked = std::getenv("EDMUND_MANY");
  const std::int64_t few = 20'000, many = asked != nullptr ? std::atoll(asked) : 300'000;
  const auto with_few = peaks(few);
  for (const auto& [command, peak] : peaks(many)) {
    INFO(command << ": " << peak / 1'000'000 << " MB for " << many << " images, " << with_few.at(command) / 1'000'000
                 << " MB for " << few);
    // Labels and the like of an image may be kept, its pixels not.
    CHECK(peak - with_few.at(command) < (many - few) * kBytes / 3);
    CHECK(peak < 1'500'000'000);
    if (asked != nullptr) WARN(command << ": " << peak / 1'000'000 << " MB");
  }
}

}  // namespace
}  // namespace edmund::testing
