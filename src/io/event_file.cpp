#include "edmund/io/event_file.h"

#include "edmund/core/appended_file.h"
#include "edmund/core/error.h"
#include "edmund/core/files.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <string>
#include <system_error>
#include <unistd.h>
#include <vector>

namespace edmund {
namespace {

constexpr std::array<std::uint32_t, 256> crc_table() {
  std::array<std::uint32_t, 256> table = {};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0x82F63B78u : 0u);
    table[i] = value;
  }
  return table;
}

/// TFRecord stores checksums rotated and shifted, so that a record within a record does not look
/// whole.
std::uint32_t masked_crc32c(std::string_view bytes) { return std::rotr(crc32c(bytes), 15) + 0xA282EAD8u; }

// Protocol buffers: a field is its number and wire type, then a variable-length integer, 4 or 8
// bytes little-endian, or a length and bytes.
enum Wire : std::uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

template <typename T>
void append_fixed(std::string& out, T value) {
  for (std::size_t i = 0; i < sizeof value; ++i) out += static_cast<char>(value >> (8 * i));
}

void append_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

void append_key(std::string& out, std::uint32_t field, Wire wire) { append_varint(out, field << 3 | wire); }

void append_integer(std::string& out, std::uint32_t field, std::int64_t value) {
  append_key(out, field, kVarint);
  append_varint(out, static_cast<std::uint64_t>(value));
}

void append_bytes(std::string& out, std::uint32_t field, std::string_view bytes) {
  append_key(out, field, kBytes);
  append_varint(out, bytes.size());
  out += bytes;
}

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// Event: 1 wall time, 2 step, 3 file version, 5 summary.
std::string event(std::int64_t step, std::uint32_t field, std::string_view content) {
  std::string out;
  append_key(out, 1, kFixed64);
  append_fixed(out, std::bit_cast<std::uint64_t>(seconds_now()));
  append_integer(out, 2, step);
  append_bytes(out, field, content);
  return out;
}

/// The event files that edmund wrote in a folder, oldest first.
std::vector<std::filesystem::path> ours(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> out;
  std::error_code error;
  for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (name.starts_with("events.out.tfevents.") && name.find(".edmund.") != name.npos) out.push_back(at->path());
  }
  std::ranges::sort(out);  // by their seconds, which have ten digits
  return out;
}

/// Summary with one value.
std::string summary(std::string_view value) {
  std::string out;
  append_bytes(out, 1, value);
  return out;
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  static constexpr auto kTable = crc_table();
  std::uint32_t crc = 0xFFFFFFFFu;
  for (const char byte : bytes) crc = (crc >> 8) ^ kTable[(crc ^ static_cast<unsigned char>(byte)) & 0xFFu];
  return ~crc;
}

struct EventFile::State {
  AppendedFile file;

  void append(std::string_view message) {
    std::string record;
    append_fixed(record, static_cast<std::uint64_t>(message.size()));
    append_fixed(record, masked_crc32c(record));
    record += message;
    append_fixed(record, masked_crc32c(message));
    file.append(record);
  }
};

EventFile::EventFile(const std::filesystem::path& folder, std::int64_t bytes) {
  const auto kept = static_cast<std::uint64_t>(std::max<std::int64_t>(bytes, 0));
  make_folder(folder);
  const std::vector<std::filesystem::path> before = kept > 0 ? ours(folder) : std::vector<std::filesystem::path>();
  if (!before.empty() && std::filesystem::file_size(before.back()) >= kept) {
    state_ = std::make_unique<State>(State{AppendedFile(before.back(), kept)});
    return;
  }
  static std::atomic<int> counter = 0;
  const auto seconds = static_cast<std::int64_t>(seconds_now());
  const auto file = folder / format("events.out.tfevents.{}.edmund.{}.{}", seconds, ::getpid(), counter++);
  state_ = std::make_unique<State>(State{AppendedFile(file, 0)});
  state_->append(event(0, 3, "brain.Event:2"));
}

std::int64_t EventFile::bytes() const { return static_cast<std::int64_t>(state_->file.bytes()); }
void EventFile::flush() { state_->file.flush(); }
void EventFile::sync() { state_->file.sync(); }

void delete_event_files(const std::filesystem::path& folder) {
  for (const auto& file : ours(folder)) {
    std::error_code error;
    std::filesystem::remove(file, error);
    require(!error, "{}: cannot delete: {}", file.string(), error.message());
  }
}

EventFile::~EventFile() = default;

const std::filesystem::path& EventFile::path() const { return state_->file.path(); }

void EventFile::scalar(std::string_view tag, double value, std::int64_t step) {
  std::string entry;  // Value: 1 tag, 2 simple value
  append_bytes(entry, 1, tag);
  append_key(entry, 2, kFixed32);
  append_fixed(entry, std::bit_cast<std::uint32_t>(static_cast<float>(value)));
  state_->append(event(step, 5, summary(entry)));
}

void EventFile::image(std::string_view tag, std::string_view png, std::int64_t width, std::int64_t height,
                      std::int64_t channels, std::int64_t step) {
  std::string picture;  // Image: 1 height, 2 width, 3 color space, 4 encoded bytes
  append_integer(picture, 1, height);
  append_integer(picture, 2, width);
  append_integer(picture, 3, channels);
  append_bytes(picture, 4, png);
  std::string entry;  // Value: 1 tag, 4 image
  append_bytes(entry, 1, tag);
  append_bytes(entry, 4, picture);
  state_->append(event(step, 5, summary(entry)));
}

}  // namespace edmund
