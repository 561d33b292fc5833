#include "edmund/training/objective.h"

namespace edmund {
namespace objectives {

ObjectiveFactory make_denoise, make_pseudo_huber;

}  // namespace objectives
namespace {

constexpr Entry<ObjectiveFactory> kObjectives[] = {
    {"denoise", "squared error of the network's target", "Karras et al. 2022, eq. 8", objectives::make_denoise},
    {"pseudo_huber", "the error of an image, not squared where it is large", "Song & Dhariwal 2024, section 3.3",
     objectives::make_pseudo_huber},
};

}  // namespace

std::span<const Entry<ObjectiveFactory>> objective_table() { return kObjectives; }

Objective make_objective(Options& options, const ObjectiveContext& context) {
  return chosen(objective_table(), options, "denoise", "loss").make(options, context);
}

}  // namespace edmund
