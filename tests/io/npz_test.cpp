#include "edmund/io/npz.h"

#include "support/catch.h"
#include "support/errors.h"
#include "support/file_formats.h"
#include "support/temporary_folder.h"

#include <ATen/ATen.h>
#include <string>
#include <vector>

using namespace edmund;
using namespace edmund::testing;

namespace {

/// A .npy file by hand; `length` of the header as it says, -1: the true one.
std::string npy(const std::string& header, const std::string& data, int version = 1, int length = -1) {
  const int size = length < 0 ? static_cast<int>(header.size()) : length;
  std::string out = "\x93NUMPY";
  out += static_cast<char>(version);
  out += '\0';
  out += static_cast<char>(size & 0xff);
  out += static_cast<char>(size >> 8 & 0xff);
  if (version > 1) out += std::string(2, '\0');
  return out + header + data;
}

std::string of(const std::string& descr, const std::string& shape, const std::string& order = "False") {
  return "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }";
}

/// Message of reading `x` from an archive with this one file.
std::string refusal(const TemporaryFolder& folder, const std::string& bytes, std::uint64_t limit = 1 << 20) {
  const auto file = folder.write("a.npz", zip_bytes(folder, {{"x.npy", bytes}}));
  return error_of([&] { NpzFile(file).array("x", limit); });
}

}  // namespace

TEST_CASE("arrays of every type come back from an npz file", "[data]") {
  const TemporaryFolder folder;
  std::vector<std::pair<std::string, Tensor>> arrays;
  for (const auto type :
       {at::kDouble, at::kFloat, at::kHalf, at::kLong, at::kInt, at::kShort, at::kChar, at::kByte, at::kBool})
    arrays.emplace_back(std::string("a") + c10::toString(type), at::arange(24).view({2, 3, 4}).to(type));
  arrays.emplace_back("empty", at::empty({0, 3}, at::kDouble));
  arrays.emplace_back("number", at::scalar_tensor(7.5, at::kDouble));
  arrays.emplace_back("turned", at::arange(6, at::kFloat).view({2, 3}).t());
  const std::string bytes = npz_bytes(arrays, {{"name", "größer"}, {"none", ""}});
  CHECK(bytes == npz_bytes(arrays, {{"name", "größer"}, {"none", ""}}));
  const NpzFile file(folder.write("a.npz", bytes));
  for (const auto& [name, tensor] : arrays) {
    INFO(name);
    const Tensor found = file.array(name);
    CHECK(found.scalar_type() == tensor.scalar_type());
    CHECK(found.sizes() == tensor.sizes());
    CHECK(at::equal(found, tensor));
  }
  CHECK(file.text("name") == "größer");
  CHECK(file.text("none").empty());
  CHECK(file.has("number"));
  CHECK_FALSE(file.has("other"));
}

TEST_CASE("headers are read as NumPy writes them: versions, Fortran order, code points", "[data]") {
  const TemporaryFolder folder;
  const auto read = [&](const std::string& bytes) {
    return NpzFile(folder.write("a.npz", zip_bytes(folder, {{"x.npy", bytes}}, true))).array("x");
  };
  const std::string data("\1\2\3\4\5\6", 6);
  CHECK(at::equal(read(npy(of("|u1", "(2, 3)"), data)), at::arange(1, 7).view({2, 3}).to(at::kByte)));
  CHECK(at::equal(read(npy(of("|u1", "(2, 3)", "True"), data)), at::arange(1, 7).view({3, 2}).t().to(at::kByte)));
  CHECK(at::equal(read(npy("{\"shape\":(6,),\"fortran_order\":False,\"descr\":\"|u1\"}   \n", data, 2)),
                  at::arange(1, 7).to(at::kByte)));
  const std::string words("a\0\0\0\xdf\0\0\0\x00\xf6\x01\0\0\0\0\0", 16);  // aß😀 and a filling zero
  const NpzFile text(folder.write("t.npz", zip_bytes(folder, {{"x.npy", npy(of("<U4", "()"), words)}})));
  CHECK(text.text("x") == "aß😀");
  for (const std::string& damaged :
       {std::string("\0\xd8\0\0", 4), std::string("\0\0\x11\0", 4)}) {  // a surrogate; beyond all
    const NpzFile bad(folder.write("b.npz", zip_bytes(folder, {{"x.npy", npy(of("<U1", "()"), damaged)}})));
    CHECK(contains(error_of([&] { bad.text("x"); }), "the text is damaged"));
  }
}

TEST_CASE("pickled objects, damaged headers and sizes that do not fit are refused before memory is taken", "[data]") {
  const TemporaryFolder folder;
  const std::string data(48, '\1');
  CHECK(contains(refusal(folder, npy(of("|O", "(6,)"), data)), "pickled objects"));
  CHECK(contains(refusal(folder, npy(of(">f8", "(6,)"), data)), "type '>f8'"));
  CHECK(contains(refusal(folder, npy(of("<f8", "(7,)"), data)), "its shape needs"));
  CHECK(contains(refusal(folder, npy(of("<f8", "(5,)"), data)), "its shape needs"));
  CHECK(contains(refusal(folder, npy(of("<f8", "(1000000, 1000000)"), data)), "allowed"));
  CHECK(contains(refusal(folder, npy(of("<f8", "(9000000000000000000, 9000000000000000000)"), data)), "absurd"));
  CHECK(contains(refusal(folder, npy(of("<f8", "(0, 3000000000, 3000000000)"), "")), "absurd"));
  CHECK(contains(refusal(folder, npy(of("<f8", "(6,)"), data), 40), "allowed"));
  CHECK(contains(refusal(folder, npy(of("<f8", "(6,)"), data, 1, 60000)), "header"));
  CHECK(contains(refusal(folder, npy(of("<f8", "(6,)"), data, 9)), "not an array"));
  CHECK(contains(refusal(folder, "plain text that is no array"), "not an array"));
  CHECK(contains(refusal(folder, ""), "not an array"));
  for (const std::string header :
       {"", "{}", "{'descr': '<f8'}", "{'descr': '<f8', 'fortran_order': False, 'shape': (6,), 'more': 1}",
        "{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': (6,)}",
        "{'descr': '<f8', 'fortran_order': maybe, 'shape': (6,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-6,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (6",
        "{'descr': '<f8, 'fortran_order': False, 'shape': (6,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,6)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (6,)} import os"}) {
    INFO(header);
    CHECK(contains(refusal(folder, npy(header, data)), "damaged"));
  }
  CHECK(contains(refusal(folder, npy("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (6,)}", data)),
                 "records"));
  const auto file = folder.write("a.npz", zip_bytes(folder, {{"y.npy", npy(of("<f8", "(6,)"), data)}}));
  CHECK(contains(error_of([&] { NpzFile(file).array("x"); }), "no array 'x'; there are y.npy"));
  CHECK(contains(error_of([&] { NpzFile(file).text("y"); }), "not a single text"));
}
