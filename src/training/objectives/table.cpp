#include "edmund/training/objective.h"

namespace edmund {
namespace objectives {

ObjectiveFactory make_denoise;

}  // namespace objectives
namespace {

constexpr Entry<ObjectiveFactory> kObjectives[] = {
    {"denoise", "squared error of the network's target", "Karras et al. 2022, eq. 8", objectives::make_denoise},
};

}  // namespace

std::span<const Entry<ObjectiveFactory>> objective_table() { return kObjectives; }

Objective make_objective(Options& options, const ObjectiveContext& context) {
  return chosen(objective_table(), options, "denoise").make(options, context);
}

}  // namespace edmund
