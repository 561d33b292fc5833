#pragma once

#include <nlohmann/json_fwd.hpp>

// What editors know about configs, from what their readers say.
namespace edmund {

/// JSON schema (draft 2020-12) of configs: every key with its kind, range or choices, default and
/// one line about it; one alternative for each `type` of a family.
nlohmann::ordered_json config_schema();

}  // namespace edmund
