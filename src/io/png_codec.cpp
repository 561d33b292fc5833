// libpng reports errors by a jump: the functions that it jumps out of own nothing that has a
// destructor.

#include "image_codecs.h"

#include <ATen/ATen.h>
#include <csetjmp>
#include <cstring>
#include <png.h>
#include <vector>
#include <zlib.h>

namespace edmund {
namespace {

struct Failure {
  std::jmp_buf back;
  char reason[128] = "";
};

[[noreturn]] void fail_png(png_structp png, png_const_charp reason) {
  auto* failure = static_cast<Failure*>(png_get_error_ptr(png));
  std::strncpy(failure->reason, reason, sizeof(failure->reason) - 1);
  std::longjmp(failure->back, 1);
}

void ignore_warning(png_structp, png_const_charp) {}

void read_bytes(png_structp png, png_bytep to, std::size_t count) {
  auto* rest = static_cast<std::string_view*>(png_get_io_ptr(png));
  if (count > rest->size()) png_error(png, "it ends too early");
  std::memcpy(to, rest->data(), count);
  rest->remove_prefix(count);
}

void write_bytes(png_structp png, png_bytep from, std::size_t count) {
  static_cast<std::string*>(png_get_io_ptr(png))->append(reinterpret_cast<const char*>(from), count);
}

// Fills `rows` of an image of this size; false if libpng gave up.
bool read_rows(png_structp png, png_infop info, Failure& failure, const Tensor& pixels, png_bytep* rows) {
  if (setjmp(failure.back)) return false;
  png_read_info(png, info);
  // palettes to RGB, few bits to 8, transparent colors to alpha
  png_set_expand(png);
  if (pixels.element_size() == 2) png_set_swap(png);  // 16 bits come with the highest first
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
  if (static_cast<std::int64_t>(png_get_image_height(png, info)) != pixels.size(0) ||
      static_cast<std::int64_t>(png_get_rowbytes(png, info)) != pixels.size(1) * pixels.size(2) * pixels.element_size())
    png_error(png, "other pixels than its header gives");
  png_read_image(png, rows);
  png_read_end(png, nullptr);
  return true;
}

bool write_rows(png_structp png, png_infop info, Failure& failure, const Tensor& pixels, png_bytep* rows) {
  if (setjmp(failure.back)) return false;
  png_set_IHDR(png, info, static_cast<png_uint_32>(pixels.size(1)), static_cast<png_uint_32>(pixels.size(0)), 8,
               pixels.size(2) == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_set_filter(png, PNG_FILTER_TYPE_BASE, PNG_FILTER_SUB);
  png_set_compression_level(png, Z_BEST_SPEED);
  png_set_compression_strategy(png, Z_RLE);
  png_write_info(png, info);
  png_write_image(png, rows);
  png_write_end(png, info);
  return true;
}

std::vector<png_bytep> rows_of(const Tensor& pixels) {
  std::vector<png_bytep> rows(static_cast<std::size_t>(pixels.size(0)));
  for (std::size_t y = 0; y < rows.size(); ++y)
    rows[y] = static_cast<png_bytep>(pixels.mutable_data_ptr()) +
              y * static_cast<std::size_t>(pixels.size(1) * pixels.size(2) * pixels.element_size());
  return rows;
}

}  // namespace

std::string decode_png(std::string_view bytes, const Tensor& pixels) {
  Failure failure;
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &failure, fail_png, ignore_warning);
  png_infop info = png_create_info_struct(png);
  png_set_read_fn(png, &bytes, read_bytes);
  std::vector<png_bytep> rows = rows_of(pixels);
  const bool done = read_rows(png, info, failure, pixels, rows.data());
  png_destroy_read_struct(&png, &info, nullptr);
  return done ? "" : failure.reason;
}

std::string encode_png(const Tensor& pixels) {
  Failure failure;
  std::string bytes;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &failure, fail_png, ignore_warning);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(png, &bytes, write_bytes, nullptr);
  std::vector<png_bytep> rows = rows_of(pixels);
  const bool done = write_rows(png, info, failure, pixels, rows.data());
  png_destroy_write_struct(&png, &info);
  TORCH_CHECK(done, "encode_png: ", failure.reason);
  return bytes;
}

}  // namespace edmund
