#include "edmund/io/event_file.h"

#include "edmund/core/files.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/temporary_folder.h"

#include <bit>
#include <cstring>
#include <map>
#include <vector>

using namespace edmund;
using namespace edmund::testing;

namespace {

template <typename T>
T fixed(std::string_view bytes) {
  REQUIRE(bytes.size() >= sizeof(T));
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

/// CRC-32C bit by bit: division of polynomials, with no table.
std::uint32_t slow_crc(std::string_view bytes) {
  std::uint32_t crc = ~0u;
  for (const char byte : bytes) {
    for (int bit = 0; bit < 8; ++bit) {
      const std::uint32_t in = (static_cast<unsigned char>(byte) >> bit) & 1u;
      crc = ((crc & 1u) ^ in) != 0 ? (crc >> 1) ^ 0x82F63B78u : crc >> 1;
    }
  }
  return ~crc;
}

std::uint32_t masked(std::uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xA282EAD8u; }

/// Records of a TFRecord file; fails on a wrong checksum or length.
std::vector<std::string> records(std::string_view file) {
  std::vector<std::string> out;
  while (!file.empty()) {
    const auto length = fixed<std::uint64_t>(file);
    REQUIRE(file.size() >= 16 + length);
    CHECK(fixed<std::uint32_t>(file.substr(8)) == masked(slow_crc(file.substr(0, 8))));
    out.emplace_back(file.substr(12, length));
    CHECK(fixed<std::uint32_t>(file.substr(12 + length)) == masked(slow_crc(out.back())));
    file.remove_prefix(16 + length);
  }
  return out;
}

/// Fields of a protocol-buffer message: integers and fixed numbers as their bits, the rest as
/// bytes.
struct Message {
  std::map<int, std::uint64_t> numbers;
  std::map<int, std::string> bytes;

  explicit Message(std::string_view data) {
    const auto varint = [&] {
      std::uint64_t value = 0;
      for (int shift = 0;; shift += 7) {
        REQUIRE_FALSE(data.empty());
        const auto byte = static_cast<unsigned char>(data.front());
        data.remove_prefix(1);
        value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
        if (byte < 0x80) return value;
      }
    };
    while (!data.empty()) {
      const std::uint64_t key = varint();
      const int field = static_cast<int>(key >> 3);
      switch (key & 7) {
        case 0: numbers[field] = varint(); break;
        case 1:
          numbers[field] = fixed<std::uint64_t>(data);
          data.remove_prefix(8);
          break;
        case 5:
          numbers[field] = fixed<std::uint32_t>(data);
          data.remove_prefix(4);
          break;
        case 2: {
          const auto length = varint();
          REQUIRE(data.size() >= length);
          bytes[field] = std::string(data.substr(0, length));
          data.remove_prefix(length);
          break;
        }
        default: FAIL("unknown wire type");
      }
    }
  }
};

}  // namespace

TEST_CASE("the checksum of event files is CRC-32C", "[training]") {
  CHECK(crc32c("123456789") == 0xE3069283u);  // the check value of the standard
  CHECK(crc32c("") == 0u);
  CHECK(crc32c(std::string(32, '\0')) == 0x8A9136AAu);  // RFC 3720, appendix B.4
}

TEST_CASE("event files hold what was written, as an independent reader sees it", "[training]") {
  const TemporaryFolder folder;
  const std::string png("\x89PNG\r\n\x1a\n\0not a real picture", 27);
  std::filesystem::path path;
  {
    EventFile events(folder.path() / "logs");
    path = events.path();
    events.scalar("loss", 0.12345, 640);
    events.scalar("negative", -1e30, 0);
    events.image("samples", png, 300, 20, 3, 1'000'000'000'000);
    // Whole at any time: what another process sees now.
    CHECK(records(read_file(path)).size() == 4);
  }
  CHECK(path.filename().string().starts_with("events.out.tfevents."));
  const auto found = records(read_file(path));
  REQUIRE(found.size() == 4);

  const Message version(found[0]);
  CHECK(version.bytes.at(3) == "brain.Event:2");
  CHECK(std::bit_cast<double>(version.numbers.at(1)) > 1.7e9);

  const Message first(found[1]);
  CHECK(first.numbers.at(2) == 640);
  const Message scalar(Message(first.bytes.at(5)).bytes.at(1));
  CHECK(scalar.bytes.at(1) == "loss");
  CHECK(std::bit_cast<float>(static_cast<std::uint32_t>(scalar.numbers.at(2))) == 0.12345f);

  const Message second(Message(Message(found[2]).bytes.at(5)).bytes.at(1));
  CHECK(std::bit_cast<float>(static_cast<std::uint32_t>(second.numbers.at(2))) == -1e30f);

  const Message third(found[3]);
  CHECK(third.numbers.at(2) == 1'000'000'000'000u);
  const Message value(Message(third.bytes.at(5)).bytes.at(1)), picture(value.bytes.at(4));
  CHECK(value.bytes.at(1) == "samples");
  CHECK(picture.numbers.at(1) == 20);
  CHECK(picture.numbers.at(2) == 300);
  CHECK(picture.numbers.at(3) == 3);
  CHECK(picture.bytes.at(4) == png);
}

TEST_CASE("two event files of one folder do not disturb each other", "[training]") {
  const TemporaryFolder folder;
  EventFile first(folder.path()), second(folder.path());
  CHECK(first.path() != second.path());
}

TEST_CASE("a folder that cannot be made is an error that names it", "[training]") {
  const TemporaryFolder folder;
  write_file(folder.path() / "taken", "a file");
  CHECK(contains(error_of([&] { EventFile(folder.path() / "taken"); }), "taken"));
}

TEST_CASE("an event file goes on from where it stood at a checkpoint", "[training]") {
  const TemporaryFolder folder;
  std::int64_t bytes = 0;
  std::filesystem::path path;
  {
    EventFile events(folder.path());
    path = events.path();
    events.scalar("loss", 1.0, 1);
    bytes = events.bytes();
    CHECK(static_cast<std::uintmax_t>(bytes) == std::filesystem::file_size(path));
    events.scalar("loss", 2.0, 2);  // of a process that died before the next checkpoint
  }
  {
    EventFile events(folder.path(), bytes);
    CHECK(events.path() == path);
    CHECK(events.bytes() == bytes);
    events.scalar("loss", 3.0, 2);
  }
  const auto found = records(read_file(path));
  REQUIRE(found.size() == 3);
  const Message scalar(Message(Message(found[2]).bytes.at(5)).bytes.at(1));
  CHECK(std::bit_cast<float>(static_cast<std::uint32_t>(scalar.numbers.at(2))) == 3.0f);
  // Shorter than it was: another file, rather than one with a gap.
  CHECK(EventFile(folder.path(), 1'000'000).path() != path);

  write_file(folder.path() / "events.out.tfevents.1.other", "not ours");
  delete_event_files(folder.path());
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
}
