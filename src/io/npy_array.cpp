#include "edmund/io/npy_array.h"

#include "array_types.h"
#include "edmund/core/error.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <bit>
#include <cstring>
#include <utility>

namespace edmund {
namespace {

static_assert(std::endian::native == std::endian::little, "arrays are read and written as they lie in memory");

constexpr std::pair<std::string_view, at::ScalarType> kTypes[] = {
    {"<f8", at::kDouble}, {"<f4", at::kFloat}, {"<f2", at::kHalf}, {"<i8", at::kLong}, {"<i4", at::kInt},
    {"<i2", at::kShort},  {"|i1", at::kChar},  {"|u1", at::kByte}, {"|b1", at::kBool},
};

std::string_view descr_of(at::ScalarType type) {
  for (const auto& [name, known] : kTypes)
    if (known == type) return name;
  TORCH_CHECK(false, "npy: dtype ", type, " cannot be written");
}

}  // namespace

at::ScalarType type_of(const NpyHeader& header, std::string_view place) {
  require(header.descr.find('O') == std::string::npos,
          "{}: holds pickled objects, which could run code; save it again as an array of numbers", place);
  for (const auto& [name, type] : kTypes)
    if (name == header.descr) return type;
  fail("{}: an array of type '{}', expected numbers (<f8 <f4 <f2 <i8 <i4 <i2 |i1 |u1 |b1)", place, header.descr);
}

Tensor array_from(const NpyHeader& header, std::string_view data, std::string_view place) {
  std::vector<std::int64_t> shape = header.shape;
  if (header.fortran_order) std::ranges::reverse(shape);
  const Tensor out = at::empty(shape, type_of(header, place));
  require(data.size() == out.nbytes(), "{}: {} bytes, its shape needs {}", place, data.size(), out.nbytes());
  if (!data.empty()) std::memcpy(out.mutable_data_ptr(), data.data(), data.size());
  if (!header.fortran_order) return out;
  std::vector<std::int64_t> order(shape.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int64_t>(order.size() - 1 - i);
  return out.permute(order).contiguous();
}

ArrayHeader array_header(std::string_view bytes, std::string_view place) {
  NpyHeader header = npy_header(bytes, place);
  element_count(header, place);
  return {.type = type_of(header, place), .shape = std::move(header.shape)};
}

Tensor array_of(std::string_view bytes, std::string_view place) {
  const NpyHeader header = npy_header(bytes, place);
  const std::uint64_t size = element_count(header, place) * c10::elementSize(type_of(header, place));
  require(bytes.size() == header.data_begin + size, "{}: {} bytes, its shape needs {}", place, bytes.size(),
          header.data_begin + size);
  return array_from(header, bytes.substr(header.data_begin), place);
}

std::string npy_head(at::ScalarType type, const std::vector<std::int64_t>& shape) {
  return npy_header_bytes(descr_of(type), shape);
}

std::string npy_text(const std::string& text) {
  // of no bytes: one zero byte to NumPy
  return npy_header_bytes(format("|S{}", std::max<std::size_t>(text.size(), 1)), {}) +
         (text.empty() ? std::string(1, '\0') : text);
}

std::string npy_bytes(const Tensor& values) {
  const Tensor plain = values.detach().cpu().contiguous();
  std::string out = npy_head(plain.scalar_type(), plain.sizes().vec());
  return out.append(static_cast<const char*>(plain.const_data_ptr()), plain.nbytes());
}

}  // namespace edmund
