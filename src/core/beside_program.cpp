#include "edmund/core/beside_program.h"

#include <system_error>

namespace edmund {
namespace fs = std::filesystem;

fs::path beside_program(std::string_view name) {
  std::error_code error;
  const fs::path folder = fs::read_symlink("/proc/self/exe", error).parent_path();
  for (const fs::path& file : {folder / name, folder / ".." / EDMUND_LIBDIR / name})
    if (fs::exists(file, error)) return file;
  return {};
}

}  // namespace edmund
