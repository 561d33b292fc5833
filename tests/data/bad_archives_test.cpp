// Damaged and hostile zip archives, and mistakes in dataset.json.

#include "data/helpers.h"
#include "edmund/io/image_io.h"
#include "support/catch.h"

#include <ATen/ATen.h>

using namespace edmund;
using namespace edmund::testing;

namespace {

const std::string kPng = png_bytes(picture(3, 8, 8));

// Checks that an archive of these bytes is refused in one line with its path and this part.
void check_refused(const TemporaryFolder& folder, const std::string& bytes, std::string_view part,
                   const std::string& more = "") {
  const auto file = folder.write("set.zip", bytes);
  const auto message = error_of([&] { dataset_of("{type: edm-zip, root: " + file + more + "}"); });
  INFO(message);
  CHECK(contains(message, file));
  CHECK(contains(message, part));
  CHECK_FALSE(contains(message, "\n"));
}

// The archive with `bytes` at `offset` in the directory record of its first entry.
std::string with_record(std::string zip, std::size_t offset, std::string_view bytes) {
  const auto record = zip.find("PK\1\2");
  REQUIRE(record != std::string::npos);
  return zip.replace(record + offset, bytes.size(), bytes);
}

}  // namespace

TEST_CASE("files that are no zip archives are refused", "[data]") {
  const TemporaryFolder folder;
  check_refused(folder, "", "cannot be read as a zip archive");
  check_refused(folder, "not a zip archive at all, but long enough to be looked at", "cannot be read as a zip archive");
  check_refused(folder, zip_bytes(folder, {{"notes.txt", "x"}}), "no PNG, JPEG or WebP images");
}

TEST_CASE("a zip archive that ends anywhere before its end is refused", "[data]") {
  const TemporaryFolder folder;
  const std::string zip = zip_bytes(folder, {{"a.png", kPng}, {"b.png", kPng}});
  for (std::size_t length = 0; length < zip.size(); length += length + 40 < zip.size() ? 13 : 1) {
    INFO("first " << length << " bytes");
    check_refused(folder, zip.substr(0, length), "cannot be read as a zip archive");
  }
}

TEST_CASE("zip entries with names that lead out of the archive, or twice, are refused", "[data]") {
  const TemporaryFolder folder;
  check_refused(folder, zip_bytes(folder, {{"../x.png", kPng}}), "entry '../x.png' has a name that leads out");
  check_refused(folder, zip_bytes(folder, {{"a/../../x.png", kPng}}), "leads out");
  check_refused(folder, zip_bytes(folder, {{"/x.png", kPng}}), "leads out");
  std::string twice = zip_bytes(folder, {{"a.png", kPng}, {"b.png", kPng}});
  for (auto at = twice.find("b.png"); at != std::string::npos; at = twice.find("b.png")) twice[at] = 'a';
  check_refused(folder, twice, "entry 'a.png' stands twice");
}

TEST_CASE("encrypted entries, unknown compression and backslashes are refused when an archive is opened", "[data]") {
  const TemporaryFolder folder;
  const std::string zip = zip_bytes(folder, {{"a.png", kPng}});
  check_refused(folder, with_record(zip, 8, std::string("\1\x08", 2)), "entry 'a.png' is encrypted");
  check_refused(folder, with_record(zip, 10, std::string("\x62\0", 2)), "entry 'a.png' is compressed by method 98");
  check_refused(folder, zip_bytes(folder, {{"a\\b.png", kPng}}), "has a name with a backslash");
}

TEST_CASE("a zip entry that promises too much is refused before it is read", "[data]") {
  const TemporaryFolder folder;
  const std::string zip = zip_bytes(folder, {{"bomb.png", kPng}}, true);
  check_refused(folder, with_record(zip, 24, std::string("\0\0\0\x7f", 4)),
                "entry 'bomb.png' would be more than 128 times its compressed size");
  check_refused(folder, zip_bytes(folder, {{"large.png", kPng}, {"dataset.json", std::string(96 << 20, ' ')}}, true),
                "entry 'dataset.json' would be more than 128 times its compressed size");
}

TEST_CASE("labels that are far longer than those of the images there are refused before they are read", "[data]") {
  const TemporaryFolder folder;
  const std::string labels = R"({"labels": [["a.png", 0]], "x": [)" + std::string(3 << 20, ' ') + "]}";
  const Files files = {{"a.png", kPng}, {"dataset.json", labels}};
  for (const bool deflated : {true, false})
    check_refused(folder, zip_bytes(folder, files, deflated), "dataset.json: 3145");
  for (const auto& [name, bytes] : files) folder.write("unpacked/" + name, bytes);
  CHECK(contains(error_of([&] { dataset_of("{type: edm-zip, root: " + (folder / "unpacked") + "}"); }),
                 "dataset.json: 3145"));
  const std::string behind = R"({"labels": [["a.png", 0]]})" + std::string("\0x", 2);
  check_refused(folder, zip_bytes(folder, {{"a.png", kPng}, {"dataset.json", behind}}), "not valid JSON at byte 27");
}

TEST_CASE("zip entries whose size or data are not what the directory says are found", "[data]") {
  const TemporaryFolder folder;
  const std::string zip = zip_bytes(folder, {{"a.png", kPng}}, true);
  const auto reading = [&](const std::string& bytes) {
    const auto file = folder.write("set.zip", bytes);
    const auto message = error_of([&] { image_of(*dataset_of("{type: edm-zip, root: " + file + "}"), 0); });
    INFO(message);
    CHECK(contains(message, file + "/a.png: "));
    CHECK_FALSE(contains(message, "\n"));
    return message;
  };
  const auto size = static_cast<char>(kPng.size() % 256), high = static_cast<char>(kPng.size() / 256);
  reading(with_record(zip, 24, std::string{static_cast<char>(size + 1), high}));
  reading(with_record(zip, 24, std::string{static_cast<char>(size - 1), high}));
  CHECK(contains(reading(with_record(zip, 16, "crc?")), "damaged: CRC error"));
  std::string damaged = zip_bytes(folder, {{"a.png", kPng}});
  damaged[damaged.find("IDAT") + 20] ^= 1;
  CHECK(contains(reading(damaged), "damaged: CRC error"));
}

TEST_CASE("mistakes in dataset.json are refused, naming image or place", "[data]") {
  const TemporaryFolder folder;
  const auto refused = [&](const std::string& json, std::string_view part, const std::string& more = "") {
    check_refused(folder, zip_bytes(folder, {{"a.png", kPng}, {"b.png", kPng}, {"dataset.json", json}}), part, more);
  };
  refused(R"({"labels": [["a.png", 1], )", "dataset.json: not valid JSON at byte");
  refused("[1, 2]", "a mapping with the key `labels` is expected");
  refused(R"({"labels": {"a.png": 1}})", "`labels` must be a list or null");
  refused(R"({"labels": [["a.png", 1]]})", "no label for the image 'b.png'");
  refused(R"({"labels": [["a.png", 1], ["a.png", 2], ["b.png", 1]]})", "'a.png' has two labels");
  refused(R"({"labels": [["a.png", [0.1, 0.9]], ["b.png", [1, 0]]]})", "'a.png' has a vector as its label");
  refused(R"({"labels": [["a.png", 1.5], ["b.png", 1]]})", "'a.png' has a label that is not a class");
  refused(R"({"labels": [["a.png", -1], ["b.png", 1]]})", "'a.png' has a label that is not a class");
  refused(R"({"labels": [["a.png", null], ["b.png", 1]]})", "'a.png' has a label that is not a class");
  refused(R"({"labels": [["a.png", 1e300], ["b.png", 1]]})", "'a.png' has a label that is not a class");
  refused(R"({"labels": [["a.png", 1], ["b.png"]]})", "entry 1 of `labels` must be");
  refused(R"({"labels": [["a.png", 2000000000], ["b.png", 1]]})", "label 2000000000 of image 0");
  refused(R"({"labels": [["a.png", 1], ["b.png", 10]]})", "label 10 of image 1; labels from 0 to 9",
          ", num_classes: 10");
  refused(std::string(100000, '['), "not valid JSON");
}

TEST_CASE("num_classes without labels is refused", "[data]") {
  const TemporaryFolder folder;
  check_refused(folder, zip_bytes(folder, {{"a.png", kPng}}), "no labels, but `num_classes` is given",
                ", num_classes: 3");
}
