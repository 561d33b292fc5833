#include "isa.h"
#include "vector.h"

namespace edmund::ops::cpu::EDMUND_ISA {

#define EDMUND_TEXT2(x) #x
#define EDMUND_TEXT(x) EDMUND_TEXT2(x)

const KernelTable kTable = {
    .name = EDMUND_TEXT(EDMUND_ISA),
    .panel = kPanel,
    .pack = pack,
    .gemm = gemm,
    .gemm_plane = gemm_plane,
    .gemm_transposed = gemm_transposed,
    .winograd_filter = winograd_filter,
    .winograd_input = winograd_input,
    .winograd_output = winograd_output,
    .winograd_gradient = winograd_gradient,
    .winograd_filter_gradient = winograd_filter_gradient,
    .moments = moments,
    .norm_apply = norm_apply,
    .norm_backward = norm_backward,
    .norm_gradient = norm_gradient,
    .dropout_factors = dropout_factors,
    .philox = philox,
    .normal = normal,
    .combine = combine,
    .epilogue = epilogue,
    .scaled_sums = scaled_sums,
    .shrink = shrink,
    .grow = grow,
    .max_pool = max_pool,
    .attention_scratch = attention_scratch,
    .attention = attention,
    .attention_backward = attention_backward,
    .row_norm = row_norm,
    .row_norm_backward = row_norm_backward,
    .gelu = gelu,
    .gelu_backward = gelu_backward,
    .gated = gated,
    .gated_backward = gated_backward,
    .blend = blend,
    .unit_rows = unit_rows,
    .unit_rows_backward = unit_rows_backward,
    .unit_silu = unit_silu,
    .unit_silu_backward = unit_silu_backward,
    .sum_of_squares = sum_of_squares,
    .adam = adam,
};

}  // namespace edmund::ops::cpu::EDMUND_ISA
