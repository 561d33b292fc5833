#pragma once

#include "edmund/app/config.h"
#include "edmund/checkpoints/foreign.h"
#include "edmund/core/error.h"
#include "edmund/networks/network.h"
#include "edmund/networks/state_dict.h"
#include "support/golden.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <map>
#include <string>
#include <vector>

/// What the tests of all kinds of foreign files share.
namespace edmund::testing {

/// The model that a golden file names by the setting `key`.
inline ForeignModel foreign(const Golden& golden, const std::string& key, std::string_view kind,
                            const std::vector<std::string>& said = {}) {
  return read_foreign(golden_folder() / golden.settings().at(key).get<std::string>(), kind, said);
}

/// A network and all around it, as `edmund convert` makes it.
inline Experiment experiment_of(const ForeignModel& model, const std::vector<std::string>& said = {}) {
  Experiment out = construct(parse(Options::read_text(model.config, "settings", said)), Needs::kModel);
  load_state(out.model.network(), model.weights, "weights");
  return out;
}

/// F of the network in the precision of `x`.
inline Tensor network_output(Experiment& experiment, const Tensor& x, const Tensor& c_noise,
                             const Condition& condition = {}) {
  const at::NoGradGuard no_grad;
  Network& network = experiment.model.network();
  network.to(x.scalar_type());
  network.eval();
  return network.forward(x, c_noise, condition);
}

/// Sums and norms of the tensors, all of them, that a file stores as PREFIX.NAME.
inline void check_sums(Golden& golden, const std::string& prefix, const std::map<std::string, Tensor>& given) {
  const auto names = golden.names(prefix);
  for (const auto& name : names) {
    const std::string theirs = name.substr(prefix.size());
    golden.check("tensor " + theirs + " was read", given.contains(theirs));
    if (!given.contains(theirs)) continue;
    const Tensor wide = given.at(theirs).to(at::kDouble), sums = golden.use(name);
    // a sum has the rounding of what it sums, which may cancel
    golden.check_each_of(name, at::stack({wide.sum(), wide.norm()}), sums, 1e-12,
                         1e-12 * wide.abs().sum().item<double>());
  }
  golden.check("no other tensors", names.size() == given.size());
}

/// Tensors of a state_dict of a pickle, as they lie in the file.
inline std::map<std::string, Tensor> stored(const PickleFile& pickle, const PickleValue& state) {
  std::map<std::string, Tensor> out;
  for (std::size_t i = 0; i + 1 < state.items.size(); i += 2)
    out.emplace(state.items[i]->text, pickle.tensor(*state.items[i + 1], state.items[i]->text));
  return out;
}

inline double fp32_tolerance(const Golden& golden) {
  return number_in(golden.about().at("tolerance"), R"(max\|ref\| <= ([0-9.e-]+))");
}
/// Of double precision against the references' own: what rounding and other orders of sums leave.
constexpr double kDoubleTolerance = 1e-9;

}  // namespace edmund::testing
