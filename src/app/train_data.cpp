#include "train_data.h"

#include "edmund/core/error.h"
#include "edmund/core/log.h"
#include "edmund/core/text.h"
#include "edmund/data/image_check.h"
#include "edmund/training/checkpoint.h"
#include "validator.h"

namespace edmund {
namespace {

// Reads images before the first step, so that a damaged one is not met after days. `role`: before
// remarks.
void check_whole(const Dataset& data, DataCheck check, std::string_view role = "") {
  constexpr double kMinute = 60;
  const std::int64_t all = data.info().size;
  const Examination found = check == DataCheck::kFull ? examined(data) : examined(data, kMinute);
  require_whole(found);
  for (const auto& line : remarks(found, data.info(), [&](std::int64_t i) { return data.file(i); }))
    log::warn("{}{}", role, line);
  const std::int64_t done = found.images;
  if (done < all)
    log::info("{}{}: {} of {} images were checked in a minute; `training.check: full` checks all", role,
              data.info().name, grouped(done), grouped(all));
}

// Whether the images are those that the run was trained on until now.
bool same_data(const Experiment& experiment, const DataFingerprint& data, const std::filesystem::path& folder) {
  const DataFingerprint before = read_header(folder).data;
  if (before.images == 0) return false;  // of older runs
  const std::string change = difference(before, data);
  if (change.empty()) return true;
  require(experiment.config.accepts_other_data,
          "{}: its data have changed: {}; put the former ones back, choose another folder with --run, or go on with "
          "these by training.data_changed=accept",
          folder.string(), change);
  log::warn("{}: going on with other data: {}", folder.string(), change);
  return false;
}

}  // namespace

CheckedData checked_data(const Experiment& experiment, const std::optional<std::filesystem::path>& newest) {
  CheckedData out{.fingerprint = experiment.data->fingerprint(), .held_out = validation_data(experiment)};
  const bool known = newest && same_data(experiment, out.fingerprint, *newest);
  const DataCheck check = experiment.config.check;
  if (check == DataCheck::kHeader || (check == DataCheck::kAuto && known)) return out;
  check_whole(*experiment.data, check);
  if (out.held_out) check_whole(*out.held_out, check, "held-out images: ");
  return out;
}

}  // namespace edmund
