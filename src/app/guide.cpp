#include "edmund/app/guide.h"

#include "edmund/core/error.h"
#include "edmund/networks/state_dict.h"
#include "edmund/ops/device.h"
#include "edmund/training/checkpoint.h"
#include "edmund/training/trainer.h"

namespace edmund {
namespace fs = std::filesystem;

GuideModel load_guide(const fs::path& path) {
  require(fs::is_directory(path), "{}: no such run folder", path.string());
  const bool is_checkpoint = fs::exists(path / "state.json");
  const auto folder = is_checkpoint ? path : newest_checkpoint(path);
  require(folder.has_value(), "{}: no whole checkpoint in {}", path.string(), (path / "checkpoints").string());
  const Checkpoint checkpoint = load_weights(*folder);
  Options root = Options::read_text(checkpoint.config, (*folder / "state.json").string() + " (config)");
  Options image = root.child("image"), network = root.child("network"), preconditioning = root.child("preconditioning"),
          weight = root.child("loss_weight");
  ModelShape shape;
  shape.image = {.channels = image.required_integer("channels", between(1, 4096)),
                 .height = image.required_integer("height", between(1, 65536)),
                 .width = image.required_integer("width", between(1, 65536))};
  shape.num_classes = image.integer("classes", 0, between(0, 1 << 24));
  shape.class_names = image.texts("class_names", {});
  DenoisingModel model(make_network(network, {.image = shape.image, .num_classes = shape.num_classes}),
                       make_preconditioning(preconditioning), make_loss_weight(weight));
  for (const auto& key : root.keys()) root.defer(key);  // the rest says how it was trained and how it samples
  root.finish();
  load_state(model.network(), checkpoint.ema, folder->string());
  model.network().to(ops::device());
  return {.path = path.string(), .shape = std::move(shape), .model = std::move(model)};
}

}  // namespace edmund
