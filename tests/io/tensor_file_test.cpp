#include "edmund/io/tensor_file.h"

#include "edmund/core/error.h"
#include "edmund/core/stopwatch.h"
#include "support/catch.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <limits>
#include <string>
#include <vector>

using namespace edmund;

namespace {

std::string file_of(const std::string& header, std::size_t data, std::int64_t length = -1) {
  const auto n = length < 0 ? static_cast<std::uint64_t>(header.size()) : static_cast<std::uint64_t>(length);
  std::string out;
  for (int i = 0; i < 8; ++i) out += static_cast<char>(n >> (8 * i) & 0xff);
  return out + header + std::string(data, '\1');
}

std::string error_of(const std::string& bytes) {
  try {
    parse_tensors(bytes, "weights.safetensors");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

bool refused(const std::string& bytes, const std::string& reason) {
  const auto message = error_of(bytes);
  UNSCOPED_INFO("said: " << message);
  return message.starts_with("weights.safetensors: ") && message.find(reason) != std::string::npos &&
         message.find('\n') == std::string::npos;
}

std::string one(const std::string& fields) { return "{\"a\":{" + fields + "}}"; }

}  // namespace

TEST_CASE("Tensors of every type come back bit for bit", "[ops]") {
  std::vector<std::pair<std::string, Tensor>> in;
  for (const auto type : {at::kDouble, at::kFloat, at::kHalf, at::kBFloat16, at::kLong, at::kInt, at::kShort, at::kChar,
                          at::kByte, at::kBool})
    in.emplace_back(std::string("t/ä.") + c10::toString(type), (at::arange(15) % 3).reshape({3, 5}).to(type));
  in.emplace_back("scalar", at::tensor(std::numeric_limits<double>::infinity(), at::kDouble));
  in.emplace_back("empty", at::zeros({4, 0, 2}));
  in.emplace_back("strided", at::arange(12).reshape({3, 4}).t());
  const auto bytes = tensor_bytes(in, {{"note", "line\n\"quoted\" µ"}, {"", "x"}});
  const auto out = parse_tensors(bytes, "x");
  CHECK(out.tensors.size() == in.size());
  for (const auto& [name, tensor] : in) {
    CHECK(out.at(name).scalar_type() == tensor.scalar_type());
    CHECK(out.at(name).equal(tensor));
  }
  CHECK(out.metadata.at("note") == "line\n\"quoted\" µ");
  CHECK(tensor_bytes({in.rbegin(), in.rend()}, {{"note", "line\n\"quoted\" µ"}, {"", "x"}}) == bytes);
  CHECK((8 + static_cast<std::size_t>(static_cast<unsigned char>(bytes[0])) +
         256 * static_cast<std::size_t>(static_cast<unsigned char>(bytes[1]))) %
            8 ==
        0);
}

TEST_CASE("A missing tensor is named with its nearest neighbour", "[ops]") {
  auto file = parse_tensors(tensor_bytes({{"enc.conv.weight", at::zeros({1})}}), "w.safetensors");
  try {
    file.at("enc.conv.wieght");
    FAIL("found");
  } catch (const Error& error) {
    CHECK(std::string(error.what()) == "w.safetensors: no tensor 'enc.conv.wieght'; did you mean 'enc.conv.weight'?");
  }
}

TEST_CASE("Damaged and hostile safetensors are refused with one clear line", "[ops]") {
  const std::string good = R"("dtype":"F32","shape":[2],"data_offsets":[0,8])";
  REQUIRE(error_of(file_of(one(good), 8)).empty());
  CHECK(refused("", "too few"));
  CHECK(refused("1234567", "too few"));
  CHECK(refused(file_of("{}", 0, 100), "truncated"));
  CHECK(refused(file_of("{}", 0, 200'000'000), "not a safetensors file"));
  CHECK(refused(std::string(16, '\xff'), "not a safetensors file"));
  CHECK(refused(file_of("", 0), "not JSON"));
  CHECK(refused(file_of("{", 0), "not JSON"));
  CHECK(refused(file_of("{} x", 0), "not JSON"));
  CHECK(refused(file_of(one(good) + std::string("\0", 1), 8), "not JSON"));
  CHECK(refused(file_of("[]", 0), "a list where"));
  CHECK(refused(file_of("3", 0), "a number where"));
  CHECK(refused(file_of("null", 0), "null where"));
  CHECK(refused(file_of(std::string(1'000'000, '['), 0), "a list where"));
  std::string deep;
  for (int i = 0; i < 200'000; ++i) deep += "{\"shape\":";
  CHECK(refused(file_of(deep, 0), "a mapping where"));
  CHECK(refused(file_of("{\"a\xff\":{" + good + "}}", 8), "not JSON"));
  CHECK(refused(file_of("{\"a\":{" + good + "},\"a\":{" + good + "}}", 8), "twice"));
  CHECK(refused(file_of("{\"\":{" + good + "}}", 8), "empty"));
  CHECK(refused(file_of(one(good + R"(,"shape":[2])"), 8), "twice"));
  CHECK(refused(file_of(one(good + R"(,"color":"red")"), 8), "unknown field 'color'"));
  CHECK(refused(file_of(one(R"("dtype":"F32","shape":[2])"), 8), "needs dtype"));
  CHECK(refused(file_of(one(""), 8), "needs dtype"));
  CHECK(refused(file_of(R"({"a":"b"})", 0), "a text where"));
  CHECK(refused(file_of(R"({"__metadata__":{"a":1}})", 0), "a number where"));
  CHECK(refused(file_of(R"({"__metadata__":{"a":"1","a":"2"}})", 0), "twice"));
}

TEST_CASE("Offsets, shapes and types that do not fit the data are refused", "[ops]") {
  const auto entry = [](const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return R"("dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets;
  };
  const auto file = [&](const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return file_of(one(entry(dtype, shape, offsets)), 8);
  };
  CHECK(refused(file("F31", "[2]", "[0,8]"), "unknown dtype 'F31'"));
  CHECK(refused(file("F32", "[3]", "[0,8]"), "its shape needs 12"));
  CHECK(refused(file("F32", "[2]", "[0,12]"), "claims bytes 0 to 12 of 8"));
  CHECK(refused(file("F32", "[2]", "[8,0]"), "claims bytes"));
  CHECK(refused(file("F32", "[1]", "[4,8]"), "a gap"));
  CHECK(refused(file("F32", "[1]", "[0,4]"), "4 bytes after the last tensor"));
  CHECK(refused(file("F32", "[-2]", "[0,8]"), "a negative number"));
  CHECK(refused(file("F32", "[2.0]", "[0,8]"), "a fraction"));
  CHECK(refused(file("F32", "[2]", "[0,18446744073709551624]"), "too large"));
  CHECK(refused(file("F32", "[2]", "[0,8,9]"), "more than two data_offsets"));
  CHECK(refused(file("F32", "[2]", "[0]"), "two data_offsets"));
  CHECK(refused(file("F32", "[[2]]", "[0,8]"), "a list where"));
  CHECK(refused(file("F32", "2", "[0,8]"), "a number where"));
  CHECK(refused(file("F32", "[4611686018427387904,4]", "[0,0]"), "absurd"));
  CHECK(refused(file("F32", "[0,4611686018427387904,4]", "[0,0]"), "absurd"));
  CHECK(refused(file("F32", "[9223372036854775808]", "[0,8]"), "absurd"));
  CHECK(refused(file("F32", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,2]", "[0,8]"), "more than 16 dimensions"));
  CHECK(
      refused(file_of("{\"a\":{" + entry("F32", "[2]", "[0,8]") + "},\"b\":{" + entry("F32", "[1]", "[4,8]") + "}}", 8),
              "overlap"));
  CHECK(refused(file_of(one(entry("BOOL", "[8]", "[0,8]")), 7) + '\2', "truth values"));
  CHECK(refused(file_of("{}", 3), "3 bytes after the last tensor"));
  CHECK(error_of(file_of("{}", 0)).empty());
}

TEST_CASE("Reading a file that is missing or a folder is an Error", "[ops]") {
  CHECK_THROWS_AS(read_tensors("/nowhere/at/all.safetensors"), Error);
  CHECK_THROWS_AS(read_tensors("/"), Error);
}

TEST_CASE("A file of many empty tensors takes time in proportion", "[ops]") {
  const auto seconds = [](int count) {
    std::string header = "{";
    for (int i = 0; i < count; ++i)
      header += (i > 0 ? "," : "") + ("\"layer." + std::to_string(i)) +
                R"(.weight":{"dtype":"F32","shape":[0],"data_offsets":[0,0]})";
    const std::string bytes = file_of(header + "}", 0);
    const Stopwatch watch;
    CHECK(parse_tensors(bytes, "many").tensors.size() == static_cast<std::size_t>(count));
    return watch.seconds();
  };
  const double few = seconds(25'000), many = seconds(200'000);
  INFO(few << " s, " << many << " s");
  // 8 times as many: a quadratic loop takes 64 times as long
  CHECK(many < 32 * std::max(few, 0.02));
}
