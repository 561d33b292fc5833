#include "edmund/training/kept_averages.h"

#include "edmund/core/error.h"
#include "edmund/core/file_system.h"
#include "edmund/core/files.h"
#include "edmund/core/format.h"
#include "edmund/core/text.h"
#include "edmund/io/sealed_tensors.h"
#include "edmund/io/tensor_file.h"
#include "edmund/training/ema.h"
#include "edmund/training/posthoc_ema.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <system_error>

namespace edmund {
namespace fs = std::filesystem;
namespace {

constexpr const char* kFormat = "edmund averages";
constexpr const char* kEnding = ".safetensors";

fs::path averages_folder(const fs::path& run) { return run / "averages"; }

fs::path file_of(const fs::path& run, std::int64_t images) {
  std::string number = std::to_string(images);
  if (number.size() < 12) number.insert(0, 12 - number.size(), '0');
  return averages_folder(run) / (number + kEnding);
}

/// "0/unet.weight" of the first width.
std::string prefix_of(std::size_t width) { return format("{}/", width); }

std::vector<double> widths_in(const std::string& text) {
  std::vector<double> out;
  std::istringstream words(text);
  for (std::string word; words >> word;) out.push_back(parse_real(word).value_or(0.0));
  return out;
}

std::string checksum_of(const std::map<std::string, Tensor>& tensors) {
  return checksum(tensor_bytes({tensors.begin(), tensors.end()}));
}

/// Of each width that a file holds.
std::vector<PowerProfile> profiles_in(const TensorFile& file) {
  const auto widths = file.metadata.find("widths"), learned = file.metadata.find("learned");
  require(widths != file.metadata.end() && learned != file.metadata.end(),
          "{}: no averages of an edmund training; move it away: the others serve without it", file.file);
  std::vector<PowerProfile> out;
  for (const double width : widths_in(widths->second))
    out.push_back({static_cast<double>(parse_integer(learned->second).value_or(0)), power_ema_gamma(width)});
  return out;
}

/// Adds factor · parameters to the sums.
void add(std::map<std::string, Tensor>& sums, const NamedTensors& parameters, double factor) {
  for (const auto& [name, tensor] : parameters) {
    const Tensor part = tensor.to(at::kDouble) * factor;
    const auto [found, is_new] = sums.emplace(name, part);
    if (!is_new) found->second.add_(part);
  }
}

}  // namespace

void save_averages(const fs::path& run, const KeptAverages& averages) {
  std::map<std::string, Tensor> tensors;
  std::string widths;
  for (std::size_t i = 0; i < averages.widths.size(); ++i) {
    widths += format("{}{}", i > 0 ? " " : "", number_text(averages.widths[i]));
    for (const auto& [name, tensor] : averages.parameters[i])
      tensors[prefix_of(i) + name] = tensor.detach().to(at::kCPU).contiguous();
  }
  write_file(file_of(run, averages.images),
             sealed_tensor_bytes({tensors.begin(), tensors.end()}, {{"format", kFormat},
                                                                    {"images", std::to_string(averages.images)},
                                                                    {"learned", std::to_string(averages.learned)},
                                                                    {"widths", widths}}));
}

KeptAverages load_averages(const fs::path& run, std::int64_t images) {
  const fs::path path = file_of(run, images);
  const TensorFile file = read_tensors(path);
  const auto word = [&](const char* key) {
    const auto found = file.metadata.find(key);
    return found == file.metadata.end() ? std::string() : found->second;
  };
  const std::string remedy = "move it away: the others serve without it";
  require(word("format") == kFormat, "{}: no averages of an edmund training; {}", path.string(), remedy);
  // those of older versions have one of the tensors alone
  require(word("xxhash64") == checksum_of(file.tensors) || (!word("xxhash64").empty() && seal_damage(file).empty()),
          "{}: checksum does not match: the file was changed; {}", path.string(), remedy);
  KeptAverages out{.images = parse_integer(word("images")).value_or(0),
                   .learned = parse_integer(word("learned")).value_or(0),
                   .widths = widths_in(word("widths")),
                   .parameters = {}};
  require(out.images == images, "{}: holds the averages of {} images; {}", path.string(), out.images, remedy);
  for (std::size_t i = 0; i < out.widths.size(); ++i) {
    const std::string prefix = prefix_of(i);
    NamedTensors& parameters = out.parameters.emplace_back();
    for (const auto& [name, tensor] : file.tensors)
      if (name.starts_with(prefix)) parameters.emplace_back(name.substr(prefix.size()), tensor);
  }
  return out;
}

std::vector<std::int64_t> kept_averages(const fs::path& run) {
  std::vector<std::int64_t> out;
  std::error_code error;
  for (fs::directory_iterator at(averages_folder(run), error), end; !error && at != end; at.increment(error)) {
    const std::string stem = at->path().stem().string();
    const bool digits = !stem.empty() && std::ranges::all_of(stem, [](char c) { return c >= '0' && c <= '9'; });
    if (digits && at->path().extension() == kEnding) out.push_back(parse_integer(stem).value_or(0));
  }
  std::ranges::sort(out);
  return out;
}

void drop_averages(const fs::path& run, std::int64_t images) {
  for (const std::int64_t at : kept_averages(run))
    if (at > images) remove_tree(file_of(run, at));
}

Reconstruction reconstructed(const fs::path& run, double width, std::int64_t images) {
  std::vector<std::int64_t> moments = kept_averages(run);
  std::erase_if(moments, [&](std::int64_t at) { return at > images; });
  require(!moments.empty(),
          "{}: no averages of up to {} images to make one of another length from; a training with "
          "training.ema_tracks=[0.05, 0.1, 0.2] keeps them",
          averages_folder(run).string(), images);
  // The coefficients need no weights, so that one file at a time is in memory.
  std::vector<PowerProfile> kept;
  for (const std::int64_t at : moments)
    for (const auto& profile : profiles_in(read_tensors(file_of(run, at)))) kept.push_back(profile);
  Reconstruction out{.parameters = {}, .images = moments.back(), .averages = kept.size()};
  const PowerProfile wanted{kept.back().images, power_ema_gamma(width)};
  const Tensor column = posthoc_coefficients(kept, std::span(&wanted, 1)).flatten().contiguous();
  const std::span<const double> coefficients(column.const_data_ptr<double>(), kept.size());
  out.residual = posthoc_residual(kept, coefficients, wanted);

  std::map<std::string, Tensor> sums;
  std::size_t next = 0;
  for (const std::int64_t at : moments) {
    const KeptAverages averages = load_averages(run, at);
    for (const NamedTensors& parameters : averages.parameters) add(sums, parameters, coefficients[next++]);
  }
  for (const auto& [name, sum] : sums) out.parameters.emplace_back(name, sum.to(at::kFloat));
  return out;
}

}  // namespace edmund
