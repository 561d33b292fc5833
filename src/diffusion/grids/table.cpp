#include "edmund/diffusion/time_grid.h"

namespace edmund {
namespace grids {

GridFactory make_beta, make_edm_iddpm, make_edm_ve, make_edm_vp, make_explicit, make_file, make_flow_shift, make_karras,
    make_log_snr, make_native, make_quadratic, make_uniform;

}  // namespace grids
namespace {

constexpr Entry<GridFactory> kGrids[] = {
    {"karras", "σ^(1/ρ) uniform", "Karras et al. 2022, eq. 5", grids::make_karras},
    {"uniform", "evenly spaced in t", "-", grids::make_uniform},
    {"quadratic", "evenly spaced in √t", "Lu et al. 2022", grids::make_quadratic},
    {"log_snr", "ln σ uniform, or to a power (exponential, polyexponential)", "Lu et al. 2022", grids::make_log_snr},
    {"beta", "quantiles of the Beta distribution between the ends", "Lee et al. 2024", grids::make_beta},
    {"native", "entries of a table: leading, linspace, trailing or quadratic",
     "Ho et al. 2020; Song et al. 2021; Lin et al. 2024", grids::make_native},
    {"edm_vp", "t uniform on the VP clock of that range", "Karras et al. 2022, table 1", grids::make_edm_vp},
    {"edm_ve", "σ² geometric", "Karras et al. 2022, table 1", grids::make_edm_ve},
    {"edm_iddpm", "entries of iDDPM's cosine levels", "Karras et al. 2022, table 1", grids::make_edm_iddpm},
    {"flow_shift", "flow times moved towards the noise, by a shift or the image's size", "Esser et al. 2024, eq. 23",
     grids::make_flow_shift},
    {"explicit", "the σ's or times of a list", "-", grids::make_explicit},
    {"file", "the σ's of a grid file (edmund optimize-grid)", "-", grids::make_file},
};

}  // namespace

std::span<const Entry<GridFactory>> grid_table() { return kGrids; }

}  // namespace edmund
