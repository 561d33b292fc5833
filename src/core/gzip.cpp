#include "descriptor.h"
#include "edmund/core/error.h"
#include "edmund/core/files.h"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <zlib.h>

namespace edmund {

std::string read_gzip(const std::filesystem::path& path, std::uint64_t limit) {
  Descriptor file = open_regular(path);
  const auto close = [](gzFile_s* stream) { gzclose_r(stream); };
  errno = 0;
  const std::unique_ptr<gzFile_s, decltype(close)> stream(gzdopen(file.number(), "rb"), close);
  if (!stream) fail_with_reason("cannot read", path);
  file.release();  // the stream closes it
  constexpr unsigned kChunk = 1 << 17;
  gzbuffer(stream.get(), kChunk);

  std::string bytes;
  while (true) {
    const std::size_t done = bytes.size();
    bytes.resize(done + kChunk);
    const int count = gzread(stream.get(), bytes.data() + done, kChunk);
    int code = Z_OK;
    const char* reason = gzerror(stream.get(), &code);
    if (code == Z_ERRNO) fail_with_reason("cannot read", path);
    require(code != Z_BUF_ERROR, "{}: the compressed file ends too early; fetch it again", path);
    require(count >= 0 && code == Z_OK, "{}: damaged compressed file: {}", path, reason);
    bytes.resize(done + static_cast<std::size_t>(std::max(count, 0)));
    require(bytes.size() <= limit, "{}: decompresses to more than the {} bytes that are allowed here", path, limit);
    if (count == 0) break;
  }
  return bytes;
}

}  // namespace edmund
