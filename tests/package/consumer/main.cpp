#include <edmund/schedules/noise_schedule.h>
#include <iostream>

int main() {
  auto options = edmund::Options::read_text("type: flow", "consumer");
  const auto path = edmund::make_schedule(options);
  std::cout << "sigma(1/2) = " << path->sigma(0.5) << " on the schedule flow\n";
  return path->sigma(0.5) == 1.0 ? 0 : 1;  // σ = t / (1 - t)
}
