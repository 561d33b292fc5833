#include "../../samplers/step_controller.h"

#include "support/catch.h"

#include <limits>
#include <vector>

namespace edmund::testing {

TEST_CASE("steps follow their errors as k-diffusion's PID controller has it", "[samplers]") {
  // Its formulas in Python: whether each try passes, and the length of the next.
  struct Case {
    StepControl control;
    std::int64_t order;
    double first;
    std::vector<std::pair<bool, double>> expected;
  };
  const Case cases[] = {{{},
                         3,
                         0.05,
                         {{true, 0.07293382886355108},
                          {false, 0.054163782727438575},
                          {true, 0.056098998011958986},
                          {true, 0.1145965265603667},
                          {true, 0.2943569061387351},
                          {true, 0.26324307384239454},
                          {true, 0.2963020557348212}}},
                        {{.proportional = 0.2, .integral = 0.7, .differential = 0.1},
                         2,
                         0.1,
                         {{true, 0.14827249401190642},
                          {false, 0.08287938793670689},
                          {true, 0.07297527527693334},
                          {true, 0.16809316279926573},
                          {true, 0.4321028383222935},
                          {false, 0.09812405234307044},
                          {false, 0.022798775044238145}}},
                        {{.proportional = -0.1, .integral = 0.5, .differential = 0.3},
                         3,
                         0.05,
                         {{true, 0.060932948395095554},
                          {false, 0.045732276371376626},
                          {true, 0.043257882291916835},
                          {true, 0.08167224693511763},
                          {true, 0.20811204295273308},
                          {false, 0.05086377215303688},
                          {false, 0.012706681477391329}}}};
  const std::vector<double> errors{0.3, 2.5, 0.9, 0.05, 0.0, 1.4, 0.7};
  for (const auto& [control, order, first, expected] : cases) {
    StepController steps(control, order, first);
    CHECK(steps.length() == first);
    for (std::size_t i = 0; i < errors.size(); ++i) {
      INFO("try " << i);
      CHECK(steps.passes(errors[i]) == expected[i].first);
      CHECK_THAT(steps.length(), Catch::Matchers::WithinRel(expected[i].second, 1e-12));
    }
  }
}

TEST_CASE("an error that is no number leaves no step", "[samplers]") {
  StepController steps({}, 3, 0.1);
  CHECK_FALSE(steps.passes(std::numeric_limits<double>::quiet_NaN()));
  CHECK(steps.length() == 0.0);
}

}  // namespace edmund::testing
