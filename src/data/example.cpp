#include "example.h"

#include <ATen/ATen.h>

namespace edmund {

ExampleImages example_images(std::int64_t channels, std::int64_t side) {
  constexpr std::int64_t kImages = 6;
  ExampleImages out{.images = at::arange(kImages * channels * side * side, at::kLong)
                                  .mul(37)
                                  .remainder(251)  // a prime: no two images begin alike
                                  .to(at::kByte)
                                  .view({kImages, channels, side, side})};
  for (std::int64_t i = 0; i < kImages; ++i) out.labels.push_back(i % 2);
  return out;
}

std::string bytes_of(const Tensor& values) {
  const Tensor bytes = values.contiguous();
  return {reinterpret_cast<const char*>(bytes.const_data_ptr<std::uint8_t>()), static_cast<std::size_t>(bytes.numel())};
}

std::string idx_bytes(const Tensor& values) {
  std::string out{'\0', '\0', '\x08', static_cast<char>(values.dim())};  // unsigned bytes
  for (const std::int64_t size : values.sizes())
    for (const int shift : {24, 16, 8, 0}) out += static_cast<char>(size >> shift & 0xFF);
  return out + bytes_of(values);
}

}  // namespace edmund
