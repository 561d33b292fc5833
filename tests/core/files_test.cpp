#include "edmund/core/files.h"

#include "core/helpers.h"
#include "support/catch.h"

#include <csignal>
#include <cstdio>
#include <sys/resource.h>
#include <sys/stat.h>
#include <zlib.h>

namespace edmund {
namespace {

using testing::contains;
using testing::contents;
using testing::error_of;
using testing::TemporaryFolder;
namespace fs = std::filesystem;

std::size_t count_files(const fs::path& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

std::string write_gzip(const fs::path& path, const std::string& bytes) {
  gzFile file = gzopen(path.c_str(), "wb9");
  REQUIRE(gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size())) == static_cast<int>(bytes.size()));
  REQUIRE(gzclose(file) == Z_OK);
  return contents(path);
}

/// No file may become longer than `bytes` while it lives.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &former_);
    const rlimit now = {bytes, former_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &now);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &former_);
    std::signal(SIGXFSZ, handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  void (*handler_)(int);
  rlimit former_ = {};
};

}  // namespace

TEST_CASE("a written file is read back byte for byte", "[core]") {
  const TemporaryFolder folder;
  const std::string bytes("a\0b\xff\n", 5);
  write_file(folder / "new/deep/file.bin", bytes);
  CHECK(read_file(folder / "new/deep/file.bin") == bytes);
  CHECK(count_files(folder / "new/deep") == 1);
  write_file(folder / "new/deep/file.bin", "");
  CHECK(read_file(folder / "new/deep/file.bin").empty());
  const std::string large(3'000'001, 'x');
  write_file(folder / "large", large);
  CHECK(read_file(folder / "large", large.size()) == large);
}

TEST_CASE("reading refuses what is missing, too large or no regular file", "[core]") {
  const TemporaryFolder folder;
  const auto file = folder.write("five", "12345");
  CHECK(error_of([&] { read_file(folder / "none"); }) ==
        format("{}: cannot read: No such file or directory", folder / "none"));
  CHECK(contains(error_of([&] { read_file(folder.path()); }), "it is a folder"));
  CHECK(contains(error_of([&] { read_file("/dev/zero"); }), "not a regular file"));
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK(contains(error_of([&] { read_file(folder / "pipe"); }), "not a regular file"));
  CHECK(read_file(file, 5) == "12345");
  CHECK(contains(error_of([&] { read_file(file, 4); }), "5 bytes, more than the 4"));
  CHECK(contains(error_of([&] { read_file(file + "/below"); }), "Not a directory"));
}

TEST_CASE("a file whose size the system does not tell is read to its end, within the limit", "[core]") {
  const std::string status = read_file("/proc/self/status");
  CHECK(contains(status, "Pid:"));
  CHECK(status.size() > 100);
  CHECK(contains(error_of([&] { read_file("/proc/self/status", 100); }), "more than the 100"));
}

TEST_CASE("writing fails with the path and the reason", "[core]") {
  const TemporaryFolder folder;
  const auto file = folder.write("file", "old");
  CHECK(contains(error_of([&] { write_file(file + "/below", "new"); }), "file: cannot make the folder"));
  CHECK(contains(error_of([&] { write_file(folder.path(), "new"); }), "not a regular file"));
  CHECK(contains(error_of([&] { write_file("/dev/null", "new"); }), "/dev/null: cannot write: not a regular file"));
  CHECK(contains(error_of([&] { write_file(folder.path() / "", "new"); }), "not the name of a file"));
  CHECK(contains(error_of([&] { write_file(folder / std::string(300, 'n'), "new"); }), "File name too long"));
  CHECK(contents(file) == "old");
}

TEST_CASE("a write that fails half-way leaves the old file and nothing else", "[core]") {
  const TemporaryFolder folder;
  const auto file = folder.write("file", "old");
  std::string message;
  {
    const FileSizeLimit limit(1000);
    message = error_of([&] { write_file(file, std::string(5000, 'x')); });
  }
  CHECK(message == format("{}: cannot write: File too large", file));
  CHECK(contents(file) == "old");
  CHECK(count_files(folder.path()) == 1);
}

TEST_CASE("making a folder says what is in the way", "[core]") {
  const TemporaryFolder folder;
  make_folder(folder / "a/b/c");
  make_folder(folder / "a/b/c");
  CHECK(fs::is_directory(folder / "a/b/c"));
  const auto file = folder.write("file", "");
  CHECK(contains(error_of([&] { make_folder(file); }), "cannot make the folder"));
  CHECK(contains(error_of([&] { make_folder(file + "/below"); }), "Not a directory"));
}

TEST_CASE("a published folder appears whole or not at all", "[core]") {
  const TemporaryFolder folder;
  folder.write("aside/weights", "w");
  folder.write("aside/deep/state", "s");
  publish_folder(folder / "aside", folder / "out/done");
  CHECK(contents(folder / "out/done/deep/state") == "s");
  CHECK_FALSE(fs::exists(folder / "aside"));

  folder.write("aside/weights", "new");
  CHECK(contains(error_of([&] { publish_folder(folder / "aside", folder / "out/done"); }), "File exists"));
  CHECK(contents(folder / "out/done/weights") == "w");
  make_folder(folder / "empty");
  CHECK(contains(error_of([&] { publish_folder(folder / "aside", folder / "empty"); }), "File exists"));
  CHECK(contents(folder / "aside/weights") == "new");
  CHECK(contains(error_of([&] { publish_folder(folder / "none", folder / "x"); }), "not a folder"));
}

// known answers of the xxHash specification
TEST_CASE("checksums are those of xxHash64", "[core]") {
  CHECK(checksum("") == "ef46db3751d8e999");
  CHECK(checksum("a") == "d24ec4f1a98c6e5b");
  CHECK(checksum("abc") == "44bc2cf5ad770999");
  CHECK(checksum("Nobody inspects the spammish repetition") == "fbcea83c8a378bf1");
}

TEST_CASE("gzip files are read whole, plain ones as they are", "[core]") {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += format("{},", i * 7919 % 1009);
  write_gzip(folder / "text.gz", text);
  CHECK(read_gzip(folder / "text.gz") == text);
  CHECK(read_gzip(folder / "text.gz", text.size()) == text);
  CHECK(read_gzip(folder.write("plain", text)) == text);
  CHECK(read_gzip(folder.write("empty", "")).empty());
}

TEST_CASE("truncated and damaged gzip files are refused", "[core]") {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += format("{},", i * 7919 % 1009);
  const std::string packed = write_gzip(folder / "good.gz", text);
  for (const std::size_t size : {std::size_t{12}, packed.size() / 2, packed.size() - 8, packed.size() - 1}) {
    INFO(size);
    CHECK(contains(error_of([&] { read_gzip(folder.write("short.gz", packed.substr(0, size))); }), "ends too early"));
  }
  for (const std::size_t at : {packed.size() / 2, packed.size() - 6, packed.size() - 2}) {
    INFO(at);
    std::string damaged = packed;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
    CHECK(contains(error_of([&] { read_gzip(folder.write("damaged.gz", damaged)); }), "damaged.gz: "));
  }
  CHECK(contains(error_of([&] { read_gzip(folder / "none.gz"); }), "none.gz: cannot read: No such file"));
  CHECK(contains(error_of([&] { read_gzip(folder.path()); }), "it is a folder"));
}

TEST_CASE("a gzip file of several streams is one file, and nothing else may follow them", "[core]") {
  const TemporaryFolder folder;
  const std::string packed = write_gzip(folder / "one.gz", "first"), second = write_gzip(folder / "two.gz", "second");
  CHECK(read_gzip(folder.write("both.gz", packed + second)) == "firstsecond");
  const std::string empty = write_gzip(folder / "empty.gz", "");
  CHECK(read_gzip(folder.write("three.gz", empty + packed + empty)) == "first");
  for (const std::string& more : {std::string("x"), std::string(1, '\0'), std::string(1000, 'y'), std::string("\x1f")})
    CHECK(contains(error_of([&] { read_gzip(folder.write("more.gz", packed + more)); }), "other bytes follow"));
  CHECK(contains(error_of([&] { read_gzip(folder.write("half.gz", packed + second.substr(0, 12))); }), "cut short"));
}

TEST_CASE("what is far larger than its compressed file is refused on the way", "[core]") {
  const TemporaryFolder folder;
  write_gzip(folder / "bomb.gz", std::string(70 << 20, '\0'));
  CHECK(contains(error_of([&] { read_gzip(folder / "bomb.gz"); }), "more than 128 times its size"));
}

TEST_CASE("a gzip bomb stops at the limit", "[core]") {
  const TemporaryFolder folder;
  const std::string packed = write_gzip(folder / "bomb.gz", std::string(64 << 20, '\0'));
  CHECK(packed.size() < 100'000);
  CHECK(contains(error_of([&] { read_gzip(folder / "bomb.gz", 1 << 20); }),
                 "decompresses to more than the 1048576 bytes"));
}

}  // namespace edmund
