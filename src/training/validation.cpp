#include "edmund/training/validation.h"

#include "edmund/core/files.h"
#include "edmund/core/json_text.h"
#include "edmund/core/parsed_json.h"
#include "log_lines.h"
#include "trainer_state.h"

#include <algorithm>
#include <ATen/core/grad_mode.h>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <sstream>

namespace edmund {
using nlohmann::ordered_json;

LossBins validation_loss(const Trainable& objective, const Dataset& held_out, std::span<const std::int64_t> images,
                         std::int64_t batch) {
  const at::NoGradGuard no_grad;
  const at::Device device = objective.network().parameters().front().device();
  LossBins out(objective.clock());
  for (std::size_t at = 0; at < images.size(); at += static_cast<std::size_t>(batch)) {
    const auto part = images.subspan(at, std::min(images.size() - at, static_cast<std::size_t>(batch)));
    Batch read = held_out.read(part);
    TrainingBatch given{.images = std::move(read.images), .labels = std::move(read.labels), .positions = {}};
    given.positions.resize(part.size());
    std::iota(given.positions.begin(), given.positions.end(), static_cast<std::int64_t>(at));
    const TrainingInputs inputs = each(objective.prepare(given), [&](const Tensor& x) { return x.to(device); });
    const Losses loss = objective.loss(inputs);
    const Tensor values = loss.images.to(at::kCPU, at::kDouble).contiguous(),
                 clock = loss.clock.to(at::kCPU, at::kDouble).contiguous();
    for (std::int64_t i = 0; i < values.numel(); ++i)
      out.add(clock.const_data_ptr<double>()[i], values.const_data_ptr<double>()[i]);
  }
  return out;
}

ValidationLog::ValidationLog(const std::filesystem::path& file, std::int64_t images) : file_(file) {
  if (!std::filesystem::exists(file)) return;
  text_ = lines_until(file, images);
  std::istringstream lines(text_);
  for (std::string line; std::getline(lines, line);) {
    const auto json = parsed_json<nlohmann::json>(line);
    const auto loss = json.find("loss");
    lines_.push_back({json["images"].get<std::int64_t>(),
                      loss != json.end() && loss->is_number() ? loss->get<double>() : std::nan("")});
  }
  if (text_.size() != std::filesystem::file_size(file)) write_file(file, text_);
}

bool ValidationLog::has(std::int64_t images) const {
  return std::any_of(lines_.begin(), lines_.end(), [&](const Line& line) { return line.images == images; });
}

void ValidationLog::add(std::int64_t images, const LossBins& loss) {
  const ordered_json line = {{"images", images}, {"loss", loss.mean()}, {"bins", json_of(loss)}};
  text_ += json_text(line) + '\n';
  lines_.push_back({images, loss.mean()});
  write_file(file_, text_);  // short: a line for each checkpoint
}

std::vector<std::int64_t> ValidationLog::best(std::int64_t count) const {
  std::vector<Line> sorted;
  std::copy_if(lines_.begin(), lines_.end(), std::back_inserter(sorted),
               [](const Line& line) { return std::isfinite(line.loss); });
  std::stable_sort(sorted.begin(), sorted.end(), [](const Line& a, const Line& b) { return a.loss < b.loss; });
  std::vector<std::int64_t> out;
  for (const Line& line : sorted)
    if (static_cast<std::int64_t>(out.size()) < count) out.push_back(line.images);
  return out;
}

bool ValidationLog::exhausted(std::int64_t patience, std::int64_t images) const {
  const auto lowest = best(1);
  return patience > 0 && !lowest.empty() && images - lowest.front() >= patience;
}

}  // namespace edmund
