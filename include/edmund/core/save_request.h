#pragma once

namespace edmund {

/// Whether SIGUSR1 came, since the last call, while a StopRequest lives: a training is to save and
/// to go on. What other commands have finished lies on the disk anyway, so that they need not ask.
bool take_save_request();

}  // namespace edmund
