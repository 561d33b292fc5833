#pragma once

#include "edmund/diffusion/preconditioning.h"

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace edmund::testing {

/// Options of a mapping written as JSON.
inline Options options_of(const nlohmann::json& mapping) {
  return Options::read_text(mapping.dump(), "golden settings");
}

/// Our preconditioning for a wrapper class of NVlabs/edm with the arguments `settings`. Throws
/// Error for others and for unknown arguments.
inline Preconditioning wrapper(std::string_view name, const nlohmann::json& settings = nlohmann::json::object()) {
  nlohmann::json row = settings;
  if (name == "EDMPrecond") {
    row["type"] = "edm";
  } else {
    row = {{"type", name == "VEPrecond" ? "score" : "eps"}, {"noise_input", settings}};
    row["noise_input"]["type"] = name == "VPPrecond"      ? "vp"
                                 : name == "VEPrecond"    ? "ve"
                                 : name == "iDDPMPrecond" ? "index"
                                                          : "unknown";
  }
  Options options = options_of(row);
  Preconditioning out = make_preconditioning(options);
  options.finish();
  return out;
}

}  // namespace edmund::testing
