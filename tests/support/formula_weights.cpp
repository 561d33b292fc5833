#include "support/formula_weights.h"

#include "edmund/core/error.h"

#include <ATen/ops/empty.h>
#include <cmath>
#include <regex>

namespace edmund::testing {
namespace {

std::uint64_t fnv1a(const std::string& text) {
  std::uint64_t hash = 0xCBF29CE484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  return hash;
}

double unit(std::uint64_t seed, std::uint64_t index) {
  std::uint64_t z = seed + (index + 1) * 0x9E3779B97F4A7C15;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  z ^= z >> 31;
  return static_cast<double>(z >> 11) * 0x1p-53;
}

}  // namespace

Tensor FormulaWeights::tensor(const std::string& name, at::IntArrayRef shape) const {
  const Tensor out = at::empty(shape, at::kDouble);
  const std::uint64_t seed = fnv1a(name) + salt;
  const double fan_in = out.dim() == 0 || out.size(0) == 0 ? 1.0 : static_cast<double>(out.numel() / out.size(0));
  const double bound = std::sqrt(3.0 * gain / fan_in);
  auto* data = out.data_ptr<double>();
  for (std::int64_t i = 0; i < out.numel(); ++i) {
    const double u = unit(seed, static_cast<std::uint64_t>(i));
    if (out.dim() >= 2) {
      data[i] = (2 * u - 1) * bound;
    } else if (name.ends_with("weight") || name.ends_with("running_var")) {
      data[i] = 0.75 + 0.5 * u;
    } else {
      data[i] = (name.ends_with("freqs") ? 16.0 : 0.2) * (2 * u - 1);
    }
  }
  return out;
}

std::optional<FormulaWeights> FormulaWeights::from(const std::string& notes) {
  if (notes.find("formula weights") == std::string::npos) return std::nullopt;
  std::smatch found;
  require(std::regex_search(notes, found, std::regex(R"(salt=(-?\d+),\s*gain=([-+0-9.eE]*[0-9]))")),
          "formula weights without salt and gain");
  return FormulaWeights{static_cast<std::uint64_t>(std::stoll(found[1].str())), std::stod(found[2].str())};
}

}  // namespace edmund::testing
