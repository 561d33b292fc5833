#include "inspect_foreign.h"

#include "edmund/checkpoints/allocation_limit.h"
#include "edmund/core/error.h"
#include "edmund/core/text.h"
#include "edmund/networks/state_dict.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

namespace edmund {
namespace {

using nlohmann::ordered_json;

ordered_json tensors_of(const ForeignModel& model) {
  ordered_json out = ordered_json::object();
  for (const NamedTensors* tensors : {&model.weights, &model.beside})
    for (const auto& [name, tensor] : *tensors) {
      std::ostringstream text;
      text << tensor.dtype().name() << " " << tensor.sizes();
      out.get_ref<ordered_json::object_t&>().emplace_back(name, text.str());
    }
  return out;
}

std::int64_t elements_of(const NamedTensors& tensors) {
  std::int64_t out = 0;
  for (const auto& [name, tensor] : tensors) out += tensor.numel();
  return out;
}

// In the order of a person's questions.
ordered_json described(const ForeignModel& model) {
  const auto table = foreign_table();
  const auto entry = std::ranges::find(table, model.kind, &ForeignEntry::name);
  ordered_json out = {{"kind", model.kind + ": " + std::string(entry->about)}, {"found", model.about}};
  if (model.images > 0) out["trained_images"] = model.images;
  out["weights"] = model.raw.empty() ? "one set" : "averaged, and raw";
  out["elements"] = elements_of(model.weights);
  if (!model.beside.empty()) out["beside_the_network"] = elements_of(model.beside);
  if (!entry->convention.empty()) out["its_convention"] = std::string(entry->convention);
  for (const auto& [key, about] : model.unsaid) out["not_told"][key] = about;
  return out;
}

// Of mistakes in settings that no person wrote the first says enough; `consequence` is one only if
// there is no other.
Experiment constructed(const ForeignModel& model, const std::string& name, const std::string& consequence) {
  try {
    return construct(parse(Options::read_text(model.config, name + " (its settings)", model.overlay)), Needs::kModel);
  } catch (const Error& error) {
    std::istringstream lines(error.what());
    std::string first, line;
    while (std::getline(lines, line))
      if (first.empty() || first.find(consequence) != std::string::npos) first = line;
    fail("{}", first);
  }
}

}  // namespace

Experiment experiment_of(const ForeignModel& model, const std::filesystem::path& path) {
  const std::string name = path.string();
  const std::string too_large = name + ": the network that its settings describe is far larger than its weights";
  const AllocationLimit limit((64 << 20) + 16 * static_cast<std::size_t>(elements_of(model.weights)), too_large);
  Experiment out = constructed(model, name, too_large);
  for (const NamedTensors* weights : {&model.weights, &model.raw})
    if (!weights->empty()) check_state(out.model.network(), *weights, name);
  return out;
}

bool is_foreign(const std::filesystem::path& path) {
  if (!may_be_foreign(path)) return false;
  if (std::filesystem::is_directory(path) || PickleFile::is_one(path)) return true;
  const ForeignFile file{.path = path, .tensors = std::make_shared<TensorFile>(read_tensors(path))};
  return std::ranges::any_of(foreign_table(), [&](const ForeignEntry& entry) { return entry.is_one(file); });
}

ordered_json foreign_facts(const std::filesystem::path& path, const std::string& kind,
                           const std::vector<std::string>& said,
                           const std::function<ordered_json(const Experiment&)>& facts_of) {
  const ForeignModel model = examine_foreign(path, kind, said);
  ordered_json out = {{"file", path.string()}};
  out.update(described(model));
  std::string command = format("edmund convert {} OUT --from {}", path.string(), model.kind);
  for (const auto& part : said) command += " " + part;
  for (const auto& [key, about] : model.unsaid) command += format(" {}=…", key);
  out["to_sample"] = command + "; edmund sample OUT";
  if (model.unsaid.empty()) {
    const Experiment experiment = experiment_of(model, path);
    const Interval sigmas = experiment.model.preconditioning().sigmas;
    out["sigmas_that_it_knows"] = {sigmas.low, sigmas.high};
    out.update(facts_of(experiment));
  }
  out["tensors"] = tensors_of(model);
  return out;
}

}  // namespace edmund
