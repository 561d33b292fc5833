#include "sample_pictures.h"

#include "edmund/app/identity.h"
#include "edmund/core/file_system.h"
#include "edmund/core/files.h"
#include "edmund/core/json_text.h"
#include "edmund/core/left_over.h"
#include "edmund/core/log.h"
#include "edmund/core/parsed_json.h"
#include "edmund/core/progress.h"
#include "edmund/core/text.h"
#include "edmund/io/image_format.h"
#include "edmund/io/image_io.h"
#include "sample_texts.h"

#include <algorithm>
#include <ATen/ops/stack.h>
#include <iostream>
#include <string_view>
#include <system_error>

namespace edmund::sampling_modes {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr const char* kSheet = "sheet.png";

// "0-63,100" of sorted numbers.
std::string ranges_text(const std::vector<std::int64_t>& sorted) {
  std::string out;
  for (std::size_t begin = 0, end = 0; begin < sorted.size(); begin = end) {
    for (end = begin + 1; end < sorted.size() && sorted[end] == sorted[end - 1] + 1;) ++end;
    out += format("{}{}", out.empty() ? "" : ",", sorted[begin]);
    if (end > begin + 1) out += format("-{}", sorted[end - 1]);
  }
  return out;
}

std::vector<std::int64_t> sorted(std::vector<std::int64_t> numbers) {
  std::ranges::sort(numbers);
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  return numbers;
}

bool is_picture(const fs::path& file) {
  const std::string ending = file.extension().string();
  return !file.filename().string().starts_with('.') && (ending == ".png" || ending == ".jpg" || ending == ".jpeg");
}

// All that a picture depends on beside its number.
std::string fingerprint_of(const Task& task, const std::string& manifest, const ordered_json& settings) {
  return checksum(format("1 {} {} {} {} {}", manifest, identity_of(task.trained), task.trained.weights == Weights::kRaw,
                         task.seed, json_text(settings)));
}

// Whole or not at all, unless the machine goes down: to sync each of many small files would take
// longer than to draw them, and is_whole() tells what a crash left.
void write_picture(const fs::path& file, const std::string& bytes) {
  const fs::path aside = file.parent_path() / part_name(file.filename());
  FileSystem& system = file_system();
  std::error_code error = system.extend(aside, 0, bytes);
  if (!error) error = system.rename(aside, file);
  if (!error) return;
  remove_tree(aside);
  require_done(error, "cannot write", file);
}

// Whether a PNG is there, with the checksums of all its parts.
bool is_whole(const fs::path& file) {
  std::error_code error;
  if (!fs::exists(file, error)) return false;
  try {
    check_complete(read_file(file, kEncodedLimit), file.string());
  } catch (const Error& damage) {
    log::warn("{}; it is drawn again", damage.what());
    return false;
  }
  return true;
}

// A manifest as it lies there; null if there is none that can be read.
ordered_json manifest_in(const fs::path& file) {
  std::error_code error;
  if (!fs::exists(file, error)) return nullptr;
  ordered_json found = parsed_json<ordered_json>(read_file(file));
  return found.is_object() ? found : ordered_json::object();
}

std::vector<std::int64_t> listed_in(const ordered_json& manifest) {
  if (!manifest.is_object() || !manifest.contains("numbers") || !manifest["numbers"].is_string()) return {};
  return sorted(integers_of("numbers in the manifest", manifest["numbers"].get<std::string>(), {}, Runs::kTaken));
}

// Pictures in the folder that are none of these.
std::int64_t pictures_beside(const fs::path& folder, const std::vector<std::int64_t>& listed) {
  std::int64_t count = 0;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const fs::path file = at->path();
    if (!is_picture(file) || (file.filename() == kSheet && !listed.empty())) continue;
    const auto number = parse_integer(file.stem().string());
    const bool own = number && file.filename() == file_name(*number) && std::ranges::binary_search(listed, *number);
    count += own ? 0 : 1;
  }
  return count;
}

void delete_listed(const fs::path& folder, const fs::path& manifest, const std::vector<std::int64_t>& listed) {
  for (const std::int64_t number : listed) remove_tree(folder / file_name(number));
  remove_tree(folder / kSheet);
  remove_tree(manifest);
}

// "seed 0, here 1": the first thing in which a manifest differs.
std::string difference(const ordered_json& there, const ordered_json& here) {
  for (const auto& [key, value] : here.items()) {
    if (key == "checkpoint" || key == "folder" || !there.is_object() || !there.contains(key)) continue;
    if (there[key] != value) return format("{} {}, here {}", key, json_text(there[key]), json_text(value));
  }
  return "other settings";
}

}  // namespace

Pictures::Pictures(const Flags& flags, const Task& task, const std::string& folder, const std::string& manifest,
                   const ordered_json& settings, std::vector<std::int64_t> numbers)
    : folder_(flags.out.empty() ? task.trained.run.path / folder : fs::path(flags.out)),
      about_({{"checkpoint", task.trained.checkpoint.string()},
              {"trained_images", task.trained.images},
              {"sampling", task.experiment().sampling.name},
              {"weights", task.trained.weights.name()},
              {"seed", task.seed}}),
      fingerprint_(fingerprint_of(task, manifest, settings)),
      texts_(drawing_texts(task, fs::path(manifest).stem().string(), settings)),
      numbers_(std::move(numbers)),
      overwrite_(flags.overwrite),
      dry_run_(flags.dry_run),
      json_(flags.json) {
  if (settings.is_object()) about_.update(settings);
  manifest_ = folder_ / manifest;
  std::string complaint = take_up();
  if (!complaint.empty() && flags.out.empty()) {
    const fs::path taken = folder_;
    folder_ = task.trained.run.path / format("{}-{}", folder, fingerprint_.substr(0, 8));
    manifest_ = folder_ / manifest;
    complaint = take_up();
    if (complaint.empty()) log::info("{} holds another drawing; this one goes to {}", taken.string(), folder_.string());
  }
  require(complaint.empty(), "{}", complaint);
  if (!flags.dry_run) write_manifest(false, ordered_json::object());
}

// Makes the folder that of this drawing; what is in the way otherwise.
std::string Pictures::take_up() {
  const ordered_json there = manifest_in(manifest_);
  std::vector<std::int64_t> listed = listed_in(there);
  const bool same = there.is_object() && there.value("fingerprint", "") == fingerprint_;
  const std::int64_t foreign = pictures_beside(folder_, listed);
  if (foreign > 0)
    return format("{}: holds {} pictures that no {} lists: choose another folder with --out", folder_.string(), foreign,
                  manifest_.filename().string());
  if (!there.is_null() && overwrite_ && !dry_run_) {
    delete_listed(folder_, manifest_, listed);
    listed.clear();
  } else if (same) {
    evaluations_ = there.value("evaluations_per_image", std::int64_t{0});
  } else if (!listed.empty() && !overwrite_) {
    return format(
        "{}: holds {} pictures of another drawing ({}): choose another folder with --out, or replace them "
        "with --overwrite",
        folder_.string(), listed.size(), difference(there, about_));
  }
  listed.insert(listed.end(), numbers_.begin(), numbers_.end());
  listed_ = sorted(std::move(listed));
  return "";
}

bool Pictures::has(std::int64_t first, std::int64_t count) const {
  const auto begin = numbers_.begin() + first;
  return std::all_of(begin, begin + count, [&](std::int64_t number) { return is_whole(folder_ / file_name(number)); });
}

void Pictures::write(std::int64_t first, const Generated& batch) {
  // before its pictures, which stand for a batch that counts
  if (batch.evaluations > evaluations_) {
    evaluations_ = batch.evaluations;
    write_manifest(false, ordered_json::object());
  }
  const std::int64_t size = batch.images.size(0);
  for (std::int64_t i = 0; i < size; ++i) {
    const std::int64_t number = numbers_[static_cast<std::size_t>(first + i)];
    const PngTexts texts = picture_texts(texts_, number, batch.labels.defined() ? batch.labels[i] : Tensor());
    write_picture(folder_ / file_name(number), with_texts(png_bytes(batch.images[i]), texts));
  }
  drawn_ += size;
}

DrawSettings Pictures::kept(Progress& progress) {
  return {.progress = [&progress](std::int64_t done) { progress.update(done); },
          .finished = [this](std::int64_t first, const Generated& batch) { write(first, batch); },
          .skip = [this](std::int64_t first, std::int64_t count) { return has(first, count); }};
}

std::int64_t Pictures::there() const {
  std::error_code error;
  return std::ranges::count_if(numbers_,
                               [&](std::int64_t number) { return fs::exists(folder_ / file_name(number), error); });
}

Tensor Pictures::first(std::int64_t count) const {
  std::vector<Tensor> out;
  for (const std::int64_t number : numbers_) {
    if (std::ssize(out) == count) break;
    out.push_back(read_image(folder_ / file_name(number)));
  }
  return at::stack(out);
}

void Pictures::write_sheet(const Tensor& images, std::int64_t columns) const {
  write_png(sheet(),
            image_grid(images, std::min(columns, images.size(0)), std::max<std::int64_t>(1, 32 / images.size(2)), 2));
}

fs::path Pictures::sheet() const { return folder_ / kSheet; }

ordered_json Pictures::manifest(bool finished, const ordered_json& facts) const {
  ordered_json out = about_;
  out.update({{"folder", folder_.string()},
              {"finished", finished},
              {"fingerprint", fingerprint_},
              {"numbers", ranges_text(listed_)},
              {"evaluations_per_image", evaluations_}});
  if (facts.is_object()) out.update(facts);
  return out;
}

void Pictures::write_manifest(bool finished, const ordered_json& facts) {
  // Another process may draw other numbers of the same drawing here.
  if (const ordered_json there = manifest_in(manifest_);
      there.is_object() && there.value("fingerprint", "") == fingerprint_) {
    const std::vector<std::int64_t> theirs = listed_in(there);
    listed_.insert(listed_.end(), theirs.begin(), theirs.end());
    listed_ = sorted(std::move(listed_));
    evaluations_ = std::max(evaluations_, there.value("evaluations_per_image", std::int64_t{0}));
  }
  write_file(manifest_, json_text(manifest(finished, facts), 2) + "\n");
}

ExitCode Pictures::report(const ordered_json& facts, const std::string& line) {
  write_manifest(true, facts);
  std::cout << (json_ ? json_text(manifest(true, facts), 2) : line) << '\n';
  return ExitCode::kDone;
}

}  // namespace edmund::sampling_modes
