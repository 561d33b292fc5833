#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <string_view>

namespace edmund {

/// Images that a thread takes at once: i / kPassBlock is the block of image i, which one thread
/// goes through in order.
inline constexpr std::int64_t kPassBlock = 64;

/// Calls act(i) for i = 0, 1, … count - 1 on all threads of the process, and shows progress when
/// it is not brief (none without a task). Begins nothing after `seconds`; answers how many were
/// done, all of them before the others. An exception of `act`, which must be thread-safe, ends the
/// pass and is thrown again; so does Interrupted, when the process was asked to stop.
std::int64_t for_all_images(std::int64_t count, std::string_view task, const std::function<void(std::int64_t)>& act,
                            double seconds = std::numeric_limits<double>::infinity());

}  // namespace edmund
