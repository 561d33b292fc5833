#include "edmund/app/guide.h"

#include "edmund/app/run.h"
#include "edmund/networks/network.h"
#include "edmund/networks/state_dict.h"
#include "edmund/ops/device.h"
#include "edmund/training/checkpoint.h"

namespace edmund {
namespace fs = std::filesystem;

GuideModel load_guide(const fs::path& path) {
  const fs::path folder = find_checkpoint(path).folder;
  const Checkpoint checkpoint = load_weights(folder);
  const std::string state = (folder / "state.json").string();
  Options root = Options::read_text(checkpoint.config, state + " (config)");
  take_image(root, checkpoint.resolved, state + " (resolved)");
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
  for (const auto& key : image.keys()) image.defer(key);
  // the rest says how it was trained and how it samples
  for (const auto& key : root.keys()) root.defer(key);
  root.finish();
  load_state(model.network(), checkpoint.ema, folder.string());
  model.network().to(ops::device());
  return {.path = path.string(), .shape = std::move(shape), .model = std::move(model)};
}

}  // namespace edmund
