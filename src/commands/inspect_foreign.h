#pragma once

#include "edmund/app/config.h"
#include "edmund/checkpoints/foreign.h"

#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace edmund {

/// The experiment of a model of another project, its weights not yet loaded but known to fit.
/// Throws Error for settings that do not go together or are not those of the weights.
Experiment experiment_of(const ForeignModel& model, const std::filesystem::path& path);

/// Whether `inspect` asks foreign_table() about a file: all pickles, and those safetensors that a
/// kind knows.
bool is_foreign(const std::filesystem::path& path);

/// What a file of another project is: kind, what is missing of its settings, its authors'
/// convention, the facts of the experiment that it becomes (unless something is missing), tensors.
/// Nothing in it is executed. Throws Error as examine_foreign() does.
nlohmann::ordered_json foreign_facts(const std::filesystem::path& path, const std::string& kind,
                                     const std::vector<std::string>& said,
                                     const std::function<nlohmann::ordered_json(const Experiment&)>& facts_of);

}  // namespace edmund
