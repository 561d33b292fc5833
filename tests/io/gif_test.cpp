// GIFs as an independent reader sees them.
#include "edmund/io/gif.h"

#include "support/catch.h"

#include <ATen/ATen.h>
#include <cstdint>
#include <string>
#include <vector>

namespace edmund::testing {
namespace {

struct Gif {
  std::int64_t width = 0, height = 0;
  std::vector<std::vector<std::uint8_t>> frames;  // RGB, row by row
  std::vector<int> delays;
};

// Decodes what LZW with 8-bit symbols packed; a string is a prefix and its last symbol.
std::vector<std::uint8_t> unpacked(const std::string& data) {
  std::vector<std::uint8_t> out;
  std::vector<std::vector<std::uint8_t>> table;
  const auto clear = [&] {
    table.assign(258, {});
    for (std::size_t i = 0; i < 256; ++i) table[i] = {static_cast<std::uint8_t>(i)};
  };
  std::size_t at = 0;  // in bits
  std::size_t width = 9;
  std::vector<std::uint8_t> before;
  clear();
  while (true) {
    REQUIRE(at + width <= 8 * data.size());
    std::size_t code = 0;
    for (std::size_t bit = 0; bit < width; ++bit, ++at)
      code |= static_cast<std::size_t>(static_cast<unsigned char>(data[at / 8]) >> (at % 8) & 1) << bit;
    if (code == 257) return out;
    if (code == 256) {
      clear();
      before.clear(), width = 9;
      continue;
    }
    REQUIRE(code <= table.size());
    std::vector<std::uint8_t> string;
    if (code < table.size()) {
      string = table[code];
    } else {
      string = before;
      string.push_back(before.front());
    }
    out.insert(out.end(), string.begin(), string.end());
    if (!before.empty() && table.size() < 4096) {
      before.push_back(string.front());
      table.push_back(before);
    }
    if (table.size() == (1u << width) && width < 12) ++width;
    before = string;
  }
}

Gif parsed(const std::string& bytes) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes.at(i)); };
  const auto word = [&](std::size_t i) { return byte(i) + 256 * byte(i + 1); };
  REQUIRE(bytes.substr(0, 6) == "GIF89a");
  Gif out{.width = word(6), .height = word(8)};
  REQUIRE(byte(10) == 0xf7);
  const std::size_t palette = 13;
  std::size_t at = palette + 3 * 256;
  while (byte(at) != ';') {
    if (byte(at) == 0x21) {  // an extension
      if (byte(at + 1) == 0xf9) out.delays.push_back(word(at + 4));
      for (at += 2; byte(at) != 0; at += 1 + byte(at)) {
      }
      ++at;
      continue;
    }
    REQUIRE(byte(at) == 0x2c);
    CHECK((word(at + 5) == out.width && word(at + 7) == out.height));
    REQUIRE(byte(at + 10) == 8);
    std::string data;
    for (at += 11; byte(at) != 0; at += 1 + byte(at)) data += bytes.substr(at + 1, byte(at));
    ++at;
    out.frames.emplace_back();
    for (const std::uint8_t symbol : unpacked(data))
      for (std::size_t c = 0; c < 3; ++c) out.frames.back().push_back(byte(palette + 3 * symbol + c));
  }
  CHECK(at + 1 == bytes.size());
  return out;
}

Tensor tensor_of(const Gif& gif) {
  std::vector<Tensor> frames;
  for (const auto& frame : gif.frames)
    frames.push_back(at::tensor(frame, at::kByte).view({gif.height, gif.width, 3}).permute({2, 0, 1}));
  return at::stack(frames);
}

}  // namespace

TEST_CASE("grey levels come back from a GIF as they were, whatever their number and order", "[io]") {
  const auto size = GENERATE(std::vector<std::int64_t>{1, 1}, std::vector<std::int64_t>{7, 5},
                             std::vector<std::int64_t>{64, 64}, std::vector<std::int64_t>{97, 101});
  const std::int64_t H = size[0], W = size[1], F = 3;
  const Tensor count = at::arange(F * H * W);
  // constant, counting, and without any pattern: codes of all widths, and a table that fills up
  for (const Tensor& values :
       {count.mul(0), count.remainder(256), count.mul(count + 7).mul(2654435761).div(65536, "floor").remainder(256)}) {
    const Tensor frames = values.view({F, 1, H, W}).to(at::kByte);
    const Gif gif = parsed(gif_bytes(frames, 5));
    CHECK(gif.delays == std::vector<int>{5, 5, 100});
    CHECK(at::equal(tensor_of(gif), frames.expand({F, 3, H, W})));
  }
}

TEST_CASE("few colors are exact, and many are near", "[io]") {
  const Tensor few = at::arange(2 * 3 * 16 * 16).mul(85).remainder(256).div(85, "floor").mul(85).view({2, 3, 16, 16});
  CHECK(at::equal(tensor_of(parsed(gif_bytes(few.to(at::kByte)))), few.to(at::kByte)));
  const Tensor ramp = at::arange(64).mul(4);
  const Tensor many = at::stack({ramp.view({64, 1}).expand({64, 64}), ramp.view({1, 64}).expand({64, 64}),
                                 (ramp.view({64, 1}) + ramp.view({1, 64})).div(2, "floor")})
                          .unsqueeze(0);
  const Tensor found = tensor_of(parsed(gif_bytes(many.to(at::kByte))));
  // 4096 colors in a plane, 256 boxes: 16 colors each, of which none is farther than two steps of 4
  // in each direction from the middle, doubled where boxes are no squares
  CHECK((found.to(at::kInt) - many.to(at::kInt)).abs().max().item<int>() <= 16);
}

}  // namespace edmund::testing
