#include "edmund/app/command.h"
#include "edmund/core/error.h"

#include <exception>
#include <iostream>

int main(int argc, char** argv) {
  using edmund::ExitCode;
  try {
    return static_cast<int>(edmund::run_command({argv + 1, argv + argc}));
  } catch (const edmund::Error& error) {
    std::cerr << "error: " << error.what() << '\n';
    return static_cast<int>(ExitCode::kBadInput);
  } catch (const std::exception& error) {
    std::cerr << "edmund failed: " << error.what() << '\n';
    return static_cast<int>(ExitCode::kFailure);
  }
}
