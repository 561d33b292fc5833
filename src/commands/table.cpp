#include "edmund/commands/command.h"

namespace edmund {

CommandFactory make_train, make_sample, make_evaluate, make_likelihood, make_list, make_inspect, make_config,
    make_doctor, make_bench, make_matrix, make_optimize_grid, make_stats, make_compare, make_ablate, make_print_grid,
    make_completion, make_man, make_convert, make_denoise, make_merge, make_ema_curve, make_dataset_command,
    make_selftest;

namespace {
constexpr Command kCommands[] = {
    {"train", "train a model as a config says; goes on where an earlier run stopped", make_train},
    {"sample", "draw images from a trained model", make_sample},
    {"evaluate", "draw images and score them against real ones; updates the report", make_evaluate},
    {"ema", "scores of averages of the weights of any length, from those that a training kept", make_ema_curve},
    {"compare", "models and ways to sample them on the same seeds, with intervals; goes on where it stopped",
     make_compare},
    {"ablate", "trains one config in several arms with the same seeds, and compares them; goes on where it stopped",
     make_ablate},
    {"likelihood", "bits/dim of held-out images under a trained model", make_likelihood},
    {"optimize-grid", "the noise levels with which a sampler comes nearest to the exact ODE, as a grid file",
     make_optimize_grid},
    {"matrix", "measures every schedule, sampler and parameterization on data with a known solution", make_matrix},
    {"dataset", "a data set's files: packed into an archive, checked before a training, measured",
     make_dataset_command},
    {"stats", "reference statistics of a data set's features, for evaluations", make_stats},
    {"list", "every schedule, sampler, network … that a config can name", make_list},
    {"inspect", "what a config or a trained model is: sizes, noise levels, coefficients", make_inspect},
    {"convert", "a model that another project saved, as a run folder", make_convert},
    {"merge", "a run with adapters added to its weights for good, as a run folder", make_merge},
    {"denoise", "D(z; sigma) of a model for given inputs, to compare with other code", make_denoise},
    {"grid", "the noise levels that a config's grid visits, as numbers or as a grid file", make_print_grid},
    {"config", "the config as it is understood, defaults and overrides included", make_config},
    {"completion", "completion of commands, flags, names and keys for bash, zsh or fish", make_completion},
    {"man", "the manual page, as roff", make_man},
    {"bench", "how fast a config's network, training, sampling run here", make_bench},
    {"doctor", "whether this machine has what edmund needs, and what runs left behind", make_doctor},
    {"selftest", "whether edmund keeps its promises here: exact numbers, exact resuming, safe files", make_selftest},
};
}  // namespace

std::span<const Command> command_table() { return kCommands; }

}  // namespace edmund
