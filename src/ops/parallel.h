#pragma once

#include <cstdint>
#include <functional>

namespace edmund::ops {

/// Calls work(first, last) for consecutive pieces of [begin, end), each of them once, on as many
/// threads as threads() tells. A piece is a multiple of `grain` but for the last one; the pieces
/// depend on the range, the grain and the number of threads alone, not on who works when: a sum
/// across pieces is to be made of shares (share_sums.h), so that it does not depend on them. Inside
/// of `work`, and while another thread works in parallel, the caller does all of it. An exception
/// of `work` is thrown again here.
///
/// In place of at::parallel_for, whose threads all have to begin and to end together: where a core
/// is taken by another process, everything stands still until its time slice is over. Here the
/// caller waits for nobody who has not begun: threads take pieces as they come, first of their own
/// share (whose data their cache may have), then of the others', and an absent one holds up at most
/// the piece in its hands. `work` calls no operator of ATen that is parallel itself.
void parallel_for(std::int64_t begin, std::int64_t end, std::int64_t grain,
                  const std::function<void(std::int64_t first, std::int64_t last)>& work);

/// Into how many parts, at most `most`, each of some pieces of equal work is to be cut, so that all
/// threads have about as much. For work whose results do not depend on how it is cut.
std::int64_t cuts_for_threads(std::int64_t pieces, std::int64_t most);

}  // namespace edmund::ops
