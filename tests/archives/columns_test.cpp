#include "edmund/archives/columns.h"

#include "edmund/archives/npy.h"
#include "edmund/archives/zip_archive.h"
#include "edmund/core/error.h"
#include "support/catch.h"
#include "support/temporary_folder.h"

#include <string_view>

namespace edmund::testing {
namespace {

template <typename T>
std::string array(std::string_view descr, const std::vector<T>& values, const std::vector<std::int64_t>& shape) {
  const std::string_view bytes(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  return npy_header_bytes(descr, shape) + std::string(bytes);
}

std::string message_of(const std::string& file) {
  try {
    read_columns(file);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("lists of numbers of every width are columns, other arrays are passed over", "[archives]") {
  const TemporaryFolder folder;
  const auto file = folder.write("a.npz", zip_bytes({{"t.npy", array<double>("<f8", {0.25, 1e300}, {2})},
                                                     {"s.npy", array<float>("<f4", {0.5F}, {1})},
                                                     {"i.npy", array<std::int64_t>("<i8", {-3, 7}, {2})},
                                                     {"j.npy", array<std::int32_t>("<i4", {9}, {1})},
                                                     {"square.npy", array<double>("<f8", {1, 2, 3, 4}, {2, 2})},
                                                     {"name.npy", npy_header_bytes("|S2", {}) + "ab"},
                                                     {"readme.txt", "x"}}));
  const auto found = read_columns(file);
  CHECK(found.size() == 4);
  CHECK(found.at("t") == std::vector<double>{0.25, 1e300});
  CHECK(found.at("s") == std::vector<double>{0.5});
  CHECK(found.at("i") == std::vector<double>{-3, 7});
  CHECK(found.at("j") == std::vector<double>{9});
}

TEST_CASE("a damaged or enormous list is refused by name", "[archives]") {
  const TemporaryFolder folder;
  const auto told = [&](const std::string& bytes) {
    return message_of(folder.write("b.npz", zip_bytes({{"t.npy", bytes}})));
  };
  using Catch::Matchers::ContainsSubstring;
  CHECK_THAT(told(array<double>("<f8", {1}, {2})), ContainsSubstring("b.npz/t.npy: "));
  CHECK_THAT(told(array<double>("<f8", {1}, {std::int64_t{1} << 30})), ContainsSubstring("at most"));
  CHECK_THAT(told("no array"), ContainsSubstring("not an array of NumPy"));
  CHECK_THAT(message_of(folder.write("c.npz", "PK")), ContainsSubstring("zip archive"));
}

}  // namespace edmund::testing
