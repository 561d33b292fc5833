#pragma once

#include "edmund/core/options.h"
#include "edmund/core/table.h"
#include "edmund/schedules/noise_schedule.h"

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace edmund {

/// Strictly decreasing times t_0 > … > t_{N-1} of a schedule, all with σ > 0. The clean image
/// follows the last one (see Final).
struct TimeGrid {
  std::vector<double> t;
};

/// Consecutive pairs (t, u), t > u, of the grid.
std::vector<std::pair<double, double>> steps(const TimeGrid& grid);

/// Times of a schedule, decreasing. `network_sigmas`: noise levels that the network was made for.
using GridFactory = std::vector<double>(Options&, const NoiseSchedule&, Interval network_sigmas);

std::span<const Entry<GridFactory>> grid_table();

/// Grid that `type` names (default karras), N = `steps` (default 18) times from σ_max down to
/// σ_min. Options `sigma_min`, `sigma_max`: by default the range that the grid's authors published,
/// else the schedule's ([0.002, 80] on flow), cut to what the schedule spans; either way cut to the
/// network's range, as Karras et al. 2022 do. On a snapped() schedule every time is a known one;
/// times that fall together are kept once, so that the grid may be shorter than N (a warning says
/// so). Wrong options are recorded, not thrown; the result is valid in any case.
TimeGrid make_grid(Options& options, const NoiseSchedule& schedule, Interval network_sigmas = {0.0, 1e300});

/// Writes the noise levels as a file that the grid `file` reads: YAML with the one key `sigmas`,
/// below `about`, which becomes a comment. Throws Error if the file cannot be written.
void write_grid_file(const std::filesystem::path& file, std::span<const double> sigmas, std::string_view about);

/// Range of σ that Karras et al. 2022 use by default (code of the ablation) with the
/// discretizations `edm_vp` (from the linear β 0.1 … 20 and its smallest time), `edm_ve`,
/// `edm_iddpm` and `karras`.
Interval published_sigmas(std::string_view grid, double epsilon_s = 1e-3);

/// Levels u_0 > … > u_{M-1} of iDDPM as EDM discretizes it (Karras et al. 2022, table 1):
///   u_{j-1} = √((u_j²+1)/max(ᾱ_{j-1}/ᾱ_j, C_1) - 1),  ᾱ_j = sin²(π/2 · j/(M(C_2+1)));
/// u_M = 0 is left out. In double precision: published code makes ᾱ in float32, which moves the
/// smallest levels by up to 5e-4 of their value.
std::vector<double> iddpm_levels(std::int64_t M = 1000, double C_1 = 0.001, double C_2 = 0.008);

}  // namespace edmund
