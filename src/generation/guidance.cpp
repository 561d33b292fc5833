#include "edmund/generation/guidance.h"

#include "edmund/core/error.h"
#include "edmund/core/log.h"

namespace edmund {
namespace {

std::string text_of(const ModelShape& shape) {
  return format("{}x{}x{} images of {} classes", shape.image.channels, shape.image.height, shape.image.width,
                shape.num_classes);
}

// The network must know the noise levels that it is asked for (to rounding of the grid's ends).
bool knows(const Preconditioning& preconditioning, double sigma) {
  return sigma > preconditioning.sigmas.low * (1 - 1e-6) && sigma < preconditioning.sigmas.high * (1 + 1e-6);
}

void check_levels(Options& guidance, const Sampling& sampling) {
  const Preconditioning& guide = sampling.guide->model.preconditioning();
  for (const double t : sampling.grid.t) {
    const double sigma = sampling.schedule->sigma(t);
    guidance.check(!sampling.guidance_sigmas.contains(sigma) || knows(guide, sigma), "model",
                   "{} knows σ in [{}, {}], but the grid visits {}; set guidance.sigmas to what it knows",
                   sampling.guide->path, guide.sigmas.low, guide.sigmas.high, sigma);
  }
}

}  // namespace

void read_guidance(Options& guidance, Sampling& sampling, const GuideLoader& load) {
  sampling.guidance = guidance.real("weight", 1.0, between(0, 1000), "w of D_u + w·(D_c - D_u); 1: no guidance");
  if (const auto sigmas = guidance.interval("sigmas", "noise levels that are guided; empty: all"))
    sampling.guidance_sigmas = *sigmas;
  const std::string path =
      guidance
          .path("model", {},
                "run or checkpoint of a weaker model in place of D_u (autoguidance); empty: the same without classes")
          .string();
  if (!path.empty() && load) {
    try {
      sampling.guide = std::make_shared<const GuideModel>(load(path));
    } catch (const Error& error) {
      guidance.reject("model", error.what());
      return;
    }
    check_levels(guidance, sampling);
  }
  if (sampling.guidance != 1.0)
    sampling.name += format(", {} {}", path.empty() ? "guidance" : "autoguidance", sampling.guidance);
}

void require_guide_fits(const GuideModel& guide, const ModelShape& shape) {
  const ImageShape &a = guide.shape.image, &b = shape.image;
  require(a.channels == b.channels && a.height == b.height && a.width == b.width &&
              guide.shape.num_classes == shape.num_classes,
          "the guide {} draws {}, but the model draws {}", guide.path, text_of(guide.shape), text_of(shape));
}

void check_guidance(Options& sampling_options, const Sampling& sampling, const ModelShape& shape,
                    double label_dropout) {
  Options guidance = sampling_options.child("guidance");
  if (sampling.guide) {
    try {
      require_guide_fits(*sampling.guide, shape);
    } catch (const Error& error) {
      guidance.reject("model", error.what());
    }
    return;
  }
  if (sampling.guidance == 1.0) return;
  guidance.check(shape.num_classes > 0, "weight",
                 "the model has no classes: name a weaker one as guidance.model, or leave the weight at 1");
  if (shape.num_classes > 0 && label_dropout == 0)
    log::warn(
        "guidance.weight is {}, but this training never dropped labels (training.label_dropout is 0): D_u is untrained",
        sampling.guidance);
}

}  // namespace edmund
