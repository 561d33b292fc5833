#include "descriptor.h"
#include "edmund/core/error.h"
#include "edmund/core/files.h"
#include "edmund/core/gzip_reader.h"
#include "edmund/core/inflation.h"

#include <algorithm>
#include <cerrno>
#include <string>
#include <zlib.h>

namespace edmund {
namespace {

constexpr std::size_t kChunk = 1 << 17;

}  // namespace

struct GzipReader::State {
  std::filesystem::path path;
  Descriptor file;
  z_stream stream = {};
  bool compressed = false, ended = false;  // ended: behind the last whole stream
  std::string input = std::string(kChunk, '\0');
  std::uint64_t taken = 0, given = 0;  // bytes of the file; of what is read

  explicit State(const std::filesystem::path& from) : path(from), file(open_regular(from)) {
    fill();
    compressed = stream.avail_in >= 2 && stream.next_in[0] == 0x1f && stream.next_in[1] == 0x8b;
    constexpr int kGzip = 16 + MAX_WBITS;
    if (compressed && inflateInit2(&stream, kGzip) != Z_OK) throw std::bad_alloc();
  }
  ~State() {
    if (compressed) inflateEnd(&stream);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  // The next part of the file, behind what is left of the last one. False at its end.
  bool fill() {
    std::copy_n(stream.next_in, stream.avail_in, reinterpret_cast<Bytef*>(input.data()));
    ssize_t count = 0;
    do count = ::read(file.number(), input.data() + stream.avail_in, input.size() - stream.avail_in);
    while (count < 0 && errno == EINTR);
    if (count < 0) fail_with_reason("cannot read", path);
    stream.next_in = reinterpret_cast<Bytef*>(input.data());
    stream.avail_in += static_cast<uInt>(count);
    taken += static_cast<std::uint64_t>(count);
    return count > 0;
  }

  std::size_t plain(char* to, std::size_t size) {
    if (stream.avail_in == 0) fill();
    const std::size_t count = std::min<std::size_t>(size, stream.avail_in);
    std::copy_n(stream.next_in, count, reinterpret_cast<Bytef*>(to));
    stream.next_in += count;
    stream.avail_in -= static_cast<uInt>(count);
    return count;
  }

  // Behind a whole stream: whether another one follows.
  bool begins_another() {
    while (stream.avail_in < 2 && fill()) {
    }
    if (stream.avail_in == 0) return false;
    require(stream.avail_in >= 2 && stream.next_in[0] == 0x1f && stream.next_in[1] == 0x8b,
            "{}: other bytes follow the compressed data; fetch it again", path);
    inflateReset(&stream);
    return true;
  }

  std::size_t inflated(char* to, std::size_t size) {
    stream.next_out = reinterpret_cast<Bytef*>(to);
    stream.avail_out = static_cast<uInt>(size);
    while (stream.avail_out == size && !ended) {
      if (stream.avail_in == 0)
        require(fill(), "{}: compressed data is cut short (it ends too early); fetch it again", path);
      const int code = inflate(&stream, Z_NO_FLUSH);
      if (code == Z_MEM_ERROR) throw std::bad_alloc();
      require(code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR, "{}: compressed data is damaged ({})", path,
              stream.msg == nullptr ? "no gzip stream" : stream.msg);
      if (code == Z_STREAM_END) ended = !begins_another();
    }
    return size - stream.avail_out;
  }
};

GzipReader::GzipReader(const std::filesystem::path& path) : state_(std::make_unique<State>(path)) {}
GzipReader::~GzipReader() = default;
GzipReader::GzipReader(GzipReader&&) noexcept = default;

bool GzipReader::is_compressed() const { return state_->compressed; }

std::size_t GzipReader::read(char* to, std::size_t size) {
  std::size_t done = 0;
  while (done < size) {
    const std::size_t wanted = std::min<std::size_t>(size - done, 1 << 22);
    const std::size_t count =
        state_->compressed ? state_->inflated(to + done, wanted) : state_->plain(to + done, wanted);
    if (count == 0) break;
    done += count;
    state_->given += count;
    require(!state_->compressed || !inflates_too_far(state_->given, state_->taken),
            "{}: decompresses to more than {} times its size, which no data does; if it is meant, unpack it first",
            state_->path, kMostInflation);
  }
  return done;
}

std::string read_gzip(const std::filesystem::path& path, std::uint64_t limit) {
  GzipReader file(path);
  std::string bytes;
  while (true) {
    const std::size_t done = bytes.size();
    bytes.resize(done + kChunk);
    bytes.resize(done + file.read(bytes.data() + done, kChunk));
    require(bytes.size() <= limit, "{}: decompresses to more than the {} bytes that are allowed here", path, limit);
    if (bytes.size() == done) break;
  }
  return bytes;
}

}  // namespace edmund
