#pragma once

#include "edmund/core/options.h"
#include "edmund/core/text.h"

#include <string>
#include <string_view>

namespace edmund {

/// `name` of a model, variant or arm, which tables, plots and the terminal show. Records what is
/// wrong with it.
inline std::string required_label(Options& options, std::string_view about) {
  std::string name = options.required_text("name", about);
  const std::string fault = name.empty() ? "" : label_fault(name);
  options.check(fault.empty(), "name", "{}", fault);
  return name;
}

}  // namespace edmund
