#pragma once

#include <nlohmann/json_fwd.hpp>

// What editors know about configs, from what their readers say.
namespace edmund {

/// JSON schema (draft 2020-12) of configs: every key with its kind, range or choices, default and
/// one line about it; one alternative for each `type` of a family.
nlohmann::ordered_json config_schema();
/// The same of the files of `edmund compare` and `edmund ablate`: a variant's `sampling` is that of
/// a config.
nlohmann::ordered_json comparison_schema();
nlohmann::ordered_json ablation_schema();

}  // namespace edmund
