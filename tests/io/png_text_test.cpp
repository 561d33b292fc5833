#include "edmund/io/png_text.h"

#include "edmund/io/image_io.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/file_formats.h"

#include <ATen/ATen.h>
#include <zlib.h>

using namespace edmund;
using namespace edmund::testing;

namespace {

const PngTexts kTexts = {
    {"edmund:seed", "17"}, {"edmund:sampling", "grid:\n  steps: 18\n"}, {"edmund:run", "ein Löwe"}};

std::string deflated(std::string_view text) {
  uLongf size = compressBound(text.size());
  std::string out(size, '\0');
  compress(reinterpret_cast<Bytef*>(out.data()), &size, reinterpret_cast<const Bytef*>(text.data()), text.size());
  return out.substr(0, size);
}

// With a chunk of a text behind the header.
std::string with_chunk(const std::string& png, const std::string& chunk) {
  return png.substr(0, 33) + chunk + png.substr(33);
}

}  // namespace

TEST_CASE("a PNG carries texts, and is otherwise the same file", "[data]") {
  const Tensor image = picture(3, 5, 7);
  const std::string plain = png_bytes(image), told = with_texts(plain, kTexts);
  CHECK(texts_of(told, "a.png") == kTexts);
  CHECK(texts_of(plain, "a.png").empty());
  CHECK(decode_image(told, "a.png").equal(image));
  // its own bytes, in their order, around what was put in
  CHECK(told.substr(0, 33) == plain.substr(0, 33));
  CHECK(told.ends_with(plain.substr(33)));
  CHECK(with_texts(plain, kTexts) == told);
}

TEST_CASE("ASCII lies in tEXt chunks, other text in iTXt, as the standard lays them out", "[data]") {
  const std::string told = with_texts(png_bytes(picture(1, 2, 2)), {{"a", "b"}, {"c", "ö"}});
  CHECK(contains(told, png_chunk("tEXt", std::string("a\0b", 3))));
  CHECK(contains(told, png_chunk("iTXt", std::string("c\0\0\0\0\0ö", 8))));
}

TEST_CASE("texts of other programs are read: Latin-1, compressed, with a language", "[data]") {
  const std::string png = png_bytes(picture(1, 2, 2));
  const auto text = [&](const std::string& type, const std::string& data) {
    const PngTexts found = texts_of(with_chunk(png, png_chunk(type, data)), "x.png");
    REQUIRE(found.size() == 1);
    CHECK(found[0].first == "key");
    return found[0].second;
  };
  CHECK(text("tEXt", std::string("key\0L\xf6we", 8)) == "Löwe");
  CHECK(text("zTXt", std::string("key\0\0", 5) + deflated("L\xf6we")) == "Löwe");
  CHECK(text("iTXt", std::string("key\0\1\0de\0Schl\xc3\xbcssel\0", 20) + deflated("Löwe")) == "Löwe");
  CHECK(text("zTXt", std::string("key\0\0", 5) + deflated(std::string(100000, 'x'))).size() == 100000);
}

TEST_CASE("damaged texts are refused in one line", "[data]") {
  const std::string png = png_bytes(picture(1, 2, 2));
  for (const auto& chunk :
       {png_chunk("tEXt", "no end of the keyword"), png_chunk("zTXt", std::string("key\0\0junk", 9)),
        png_chunk("iTXt", std::string("key\0\0\0de", 8)), png_chunk("zTXt", std::string("key\0", 4))}) {
    const auto message = error_of([&] { texts_of(with_chunk(png, chunk), "x.png"); });
    INFO(message);
    CHECK(message.starts_with("x.png: "));
    CHECK_FALSE(contains(message, "\n"));
  }
  CHECK(contains(error_of([&] { texts_of("GIF89a", "x.gif"); }), "not a PNG"));
  std::string bomb(20'000'000, '\0');
  CHECK(contains(error_of([&] {
                   texts_of(with_chunk(png, png_chunk("zTXt", std::string("key\0\0", 5) + deflated(bomb))), "x.png");
                 }),
                 "too large"));
}
