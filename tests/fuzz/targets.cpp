#include "fuzz/targets.h"

#include "edmund/archives/columns.h"
#include "edmund/archives/zip_archive.h"
#include "edmund/core/error.h"
#include "edmund/core/files.h"
#include "edmund/core/json_text.h"
#include "edmund/core/kept_work.h"
#include "edmund/core/options.h"
#include "edmund/core/parsed_json.h"
#include "edmund/core/sealed_json.h"
#include "edmund/io/idx_file.h"
#include "edmund/io/image_format.h"
#include "edmund/io/image_io.h"
#include "edmund/io/npy_array.h"
#include "edmund/io/npz.h"
#include "edmund/io/pickle.h"
#include "edmund/io/png_text.h"
#include "edmund/io/sealed_tensors.h"
#include "edmund/io/tensor_file.h"
#include "edmund/training/checkpoint.h"
#include "support/file_formats.h"

#include <array>
#include <ATen/ATen.h>
#include <fstream>
#include <nlohmann/json.hpp>

namespace edmund::testing {
namespace {

namespace fs = std::filesystem;

// Not synced: a fuzzer writes thousands a second.
fs::path file_of(std::string_view bytes, const fs::path& file) {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
  return file;
}

Tensor small_image() { return at::arange(3 * 6 * 5, at::kByte).view({3, 6, 5}); }

std::vector<std::pair<std::string, Tensor>> small_tensors() {
  return {{"weight", at::arange(6, at::kFloat).view({2, 3})},
          {"steps", at::arange(2, at::kLong)},
          {"none", at::zeros({0})}};
}

void read_safetensors(std::string_view bytes, const fs::path&) { parse_tensors(bytes, "fuzz"); }
std::vector<std::string> safetensors_seeds(const fs::path&) {
  return {tensor_bytes(small_tensors()), tensor_bytes({{"a", at::zeros({1}, at::kBool)}}, {{"format", "pt"}}),
          tensor_bytes({})};
}

void read_sealed(std::string_view bytes, const fs::path& folder) {
  static_cast<void>(sealed_tensors(file_of(bytes, folder / "kept.safetensors"), "it is made again"));
}
std::vector<std::string> sealed_seeds(const fs::path&) {
  return {sealed_tensor_bytes(small_tensors(), {{"nfe", "5"}})};
}

void read_json(std::string_view bytes, const fs::path&) {
  const auto value = parsed_json<nlohmann::ordered_json>(bytes);
  if (!value.is_discarded()) static_cast<void>(json_text(value));
  static_cast<void>(is_whole(value));
}
std::vector<std::string> json_seeds(const fs::path&) {
  return {
      json_text(sealed(nlohmann::ordered_json{{"name", "heun"}, {"value", 0.25}, {"list", {1, -2, nullptr, true}}})),
      R"([{"a": "\u00e9\n"}, 1e300, []])"};
}

void read_state(std::string_view bytes, const fs::path& folder) {
  file_of(bytes, folder / "checkpoints/000000000016/state.json");
  static_cast<void>(read_header(folder / "checkpoints/000000000016"));
}
std::vector<std::string> state_seeds(const fs::path& folder) {
  const fs::path where = checkpoint_folder(folder, 16);
  Checkpoint state;
  state.config = "name: fuzz\n";
  state.images = 16;
  state.steps = 1;
  state.counters = {{"seconds", 0.5}};
  state.network = state.ema = small_tensors();
  save_checkpoint(where, state);
  return {read_file(where / "state.json")};
}

void read_yaml(std::string_view bytes, const fs::path&) {
  Options options = Options::read_text(std::string(bytes), "fuzz");
  static_cast<void>(options.keys());
  static_cast<void>(options.flattened());
}
std::vector<std::string> yaml_seeds(const fs::path&) {
  return {"name: digits\nnetwork: {type: unet, multipliers: [1, 2]}\ntraining:\n  images: 1e6\n",
          "a: &x [1, 2]\nb: *x\nc: \"text\\n\"\nd: |\n  lines\n  more\n"};
}

void read_zip(std::string_view bytes, const fs::path& folder) {
  const ZipArchive archive(file_of(bytes, folder / "x.zip"));
  for (const auto& entry : archive.entries()) static_cast<void>(archive.read(entry, 1 << 16));
}
std::vector<std::string> zip_seeds(const fs::path&) {
  const TemporaryFolder folder;
  const Files files = {{"a/b.txt", "text"}, {"c.bin", std::string(300, 'c')}, {"d", ""}};
  return {testing::zip_bytes(folder, files), testing::zip_bytes(folder, files, true)};
}

void read_npz(std::string_view bytes, const fs::path& folder) {
  const fs::path file = file_of(bytes, folder / "x.npz");
  static_cast<void>(read_columns(file, 1 << 12));
  const NpzFile npz(file);
  if (npz.has("arr_0")) static_cast<void>(npz.pixels("arr_0", 1 << 12));
  if (npz.has("mu")) static_cast<void>(npz.array("mu", 1 << 16));
  if (npz.has("name")) static_cast<void>(npz.text("name"));
}
std::vector<std::string> npz_seeds(const fs::path&) {
  return {npz_bytes({{"arr_0", at::arange(48, at::kByte).view({4, 2, 2, 3})}, {"mu", at::zeros({3}, at::kDouble)}},
                    {{"name", "text"}})};
}

void read_npy(std::string_view bytes, const fs::path&) { static_cast<void>(array_of(bytes, "fuzz")); }
std::vector<std::string> npy_seeds(const fs::path&) {
  return {npy_bytes(at::arange(6, at::kFloat).view({2, 3})), npy_bytes(at::zeros({0}, at::kHalf))};
}

void read_pickle(std::string_view bytes, const fs::path& folder) {
  const fs::path path = file_of(bytes, folder / "x.pt");
  if (!PickleFile::is_one(path)) return;
  const PickleFile file(path);
  const PickleValue& root = file.root();
  for (const PickleValue* item : root.items)
    if (item->kind == PickleValue::Kind::kTensor) static_cast<void>(file.tensor(*item, "fuzz"));
}
std::vector<std::string> pickle_seeds(const fs::path&) {
  using namespace std::string_literals;
  // {'a': (1, 2.5, None, True), 'b': ['text', b'bytes']}, protocols 2 and 4
  return {"\x80\x02}q\0(X\1\0\0\0aq\1(K\1G@\x04\0\0\0\0\0\0N\x88tq\2X\1\0\0\0bq\3]q\4X\4\0\0\0textq\5au."s,
          "\x80\4\x95\x17\0\0\0\0\0\0\0}\x94\x8c\1a\x94]\x94(K\1K\2C\5bytes\x94\x65s."s};
}

void read_idx(std::string_view bytes, const fs::path& folder) {
  const fs::path file = file_of(bytes, folder / "x.idx");
  static_cast<void>(read_idx_pixels(file, 1 << 12));
}
std::vector<std::string> idx_seeds(const fs::path&) {
  const std::string plain = idx_bytes({3, 4, 5}, std::string(60, '\7'));
  return {plain, gzipped(plain)};
}

void read_labels(std::string_view bytes, const fs::path& folder) {
  static_cast<void>(read_idx_labels(file_of(bytes, folder / "x.idx")));
}
std::vector<std::string> label_seeds(const fs::path&) {
  const std::string plain = idx_bytes({7}, std::string("\0\1\2\3\4\5\6", 7));
  return {plain, gzipped(plain) + gzipped("")};
}

void read_picture(std::string_view bytes, const fs::path&) {
  constexpr std::int64_t kPixels = 1 << 16;
  image_header(bytes, "fuzz", kPixels,
               {.deep = ImageReading::Deep::kRound, .background = std::array<std::uint8_t, 3>{}});
  static_cast<void>(
      decode_image(bytes, "fuzz", {.deep = ImageReading::Deep::kKeep, .background = std::array<std::uint8_t, 3>{}}));
}
std::vector<std::string> picture_seeds(const fs::path&) {
  return {png_bytes(small_image()), png_bytes(small_image().narrow(0, 0, 1)), jpeg_bytes(small_image()),
          jpeg_bytes(small_image(), true)};
}

void read_texts(std::string_view bytes, const fs::path&) { static_cast<void>(texts_of(bytes, "fuzz")); }
std::vector<std::string> text_seeds(const fs::path&) {
  return {with_texts(png_bytes(small_image()), {{"edmund", "seed: 1"}, {"Title", "σ"}})};
}

void read_work(std::string_view bytes, const fs::path& folder) {
  file_of(bytes, folder / ".unfinished" / ("task-" + checksum("fuzz")));
  KeptWork work(folder, "task", "fuzz");
  static_cast<void>(work.piece("a", [] { return std::string("made"); }));
  work.finish();
}
std::vector<std::string> work_seeds(const fs::path& folder) {
  KeptWork work(folder, "task", "fuzz");
  for (const char* name : {"a", "b"}) static_cast<void>(work.piece(name, [] { return std::string("bytes\n\0", 7); }));
  return {read_file(folder / ".unfinished" / ("task-" + checksum("fuzz")))};
}

constexpr FuzzTarget kTargets[] = {
    {"safetensors", read_safetensors, safetensors_seeds},
    {"sealed_tensors", read_sealed, sealed_seeds},
    {"json", read_json, json_seeds},
    {"checkpoint_state", read_state, state_seeds},
    {"yaml", read_yaml, yaml_seeds},
    {"zip", read_zip, zip_seeds},
    {"npz", read_npz, npz_seeds},
    {"npy", read_npy, npy_seeds},
    {"pickle", read_pickle, pickle_seeds},
    {"idx", read_idx, idx_seeds},
    {"idx_labels", read_labels, label_seeds},
    {"picture", read_picture, picture_seeds},
    {"png_text", read_texts, text_seeds},
    {"kept_work", read_work, work_seeds},
};

}  // namespace

std::span<const FuzzTarget> fuzz_targets() { return kTargets; }

void fuzz_one(const FuzzTarget& target, std::string_view bytes, const fs::path& folder) {
  try {
    target.read(bytes, folder);
  } catch (const Error&) {  // refused, as it should be
  }
}

}  // namespace edmund::testing
