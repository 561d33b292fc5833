#include "edmund/core/sync_file.h"

#include "descriptor.h"

namespace edmund {

void sync_file(const std::filesystem::path& path) {
  const Descriptor file = open_regular(path);
  if (::fsync(file.number()) != 0 && errno != EINVAL) fail_with_reason("cannot sync", path);
}

}  // namespace edmund
