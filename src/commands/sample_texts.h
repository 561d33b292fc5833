#pragma once

#include "edmund/io/png_text.h"
#include "sample.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

namespace edmund::sampling_modes {

/// What each picture of a drawing carries of it, as texts of the PNG: how it was sampled, from
/// which weights, with which seed. Nothing of where files lie, so that a drawing is the same
/// anywhere. `mode` is the drawing's ("samples"), `settings` what it depends on beside.
PngTexts drawing_texts(const Task& task, const std::string& mode, const nlohmann::ordered_json& settings);
/// The same with a picture's number and class.
PngTexts picture_texts(PngTexts drawing, std::int64_t number, const Tensor& label);

/// --like: the arguments that draw this picture again: its sampling (below the overrides that are
/// given), seed, number, class and weights. Throws Error for a picture without such texts, or one
/// that they do not suffice for.
Flags like(Flags flags);
/// Throws Error if the model is not the one that drew the picture of --like.
void require_like(const Flags& flags, const Task& task);

}  // namespace edmund::sampling_modes
