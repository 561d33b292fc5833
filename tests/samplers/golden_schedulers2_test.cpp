// Files with cases of several schedulers of diffusers: each case names its class, and is checked as
// the files of that scheduler alone are.
#include "samplers/scheduler.h"
#include "support/catch.h"
#include "support/device.h"
#include "support/golden.h"

#include <algorithm>
#include <string_view>

namespace edmund::testing {
namespace {

struct Row {
  std::string_view scheduler;
  SchedulerCheck check;
};
constexpr Row kChecks[] = {
    {"DDIMScheduler", check_ddim},
    {"DDPMScheduler", check_ddpm},
    {"DEISMultistepScheduler", check_deis},
    {"DPMSolverMultistepScheduler", check_dpm_solver},
    {"EDMDPMSolverMultistepScheduler", check_edm_dpm_solver},
    {"EDMEulerScheduler", check_edm_euler},
    {"EulerAncestralDiscreteScheduler", check_euler_ancestral},
    {"EulerDiscreteScheduler", check_euler},
    {"FlowMatchEulerDiscreteScheduler", check_flow_match},
    {"FlowMatchHeunDiscreteScheduler", check_flow_match},
    {"HeunDiscreteScheduler", check_heun},
    {"KDPM2DiscreteScheduler", check_dpm_2},
    {"LMSDiscreteScheduler", check_lms},
    {"UniPCMultistepScheduler", check_unipc},
};

}  // namespace

TEST_CASE("each scheduler of diffusers is a sampler of ours, on every spacing of its levels", "[golden][samplers]") {
  const TestDevice device;
  for_each_golden({"scheduler2_"}, [](Golden& golden) {
    for (const auto& [name, settings] : golden.settings().items()) {
      const auto scheduler = settings.at("scheduler").get<std::string>();
      const auto* row = std::ranges::find(kChecks, scheduler, &Row::scheduler);
      golden.check("case " + name + " is of a known scheduler, found " + scheduler, row != std::end(kChecks));
      if (row != std::end(kChecks)) row->check(golden, name, settings);
    }
  });
}

}  // namespace edmund::testing
