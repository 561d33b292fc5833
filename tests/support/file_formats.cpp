#include "support/file_formats.h"

#include "edmund/core/files.h"

#include <ATen/ATen.h>
#include <cstdio>
#include <cstdlib>
#include <jpeglib.h>
#include <stdexcept>
#include <zip.h>
#include <zlib.h>

namespace edmund::testing {

Tensor picture(std::int64_t channels, std::int64_t height, std::int64_t width, std::int64_t number) {
  Tensor image = at::empty({channels, height, width}, at::kByte);
  auto* out = image.data_ptr<std::uint8_t>();
  for (std::int64_t i = 0; i < image.numel(); ++i)
    out[i] = static_cast<std::uint8_t>((i * i * 7 + i * 31 + number * 57 + 3) % 256);
  return image;
}

std::string big_endian(std::int64_t value) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xFF);
  return out;
}

std::string idx_bytes(const std::vector<std::int64_t>& sizes, std::string_view data) {
  std::string out = big_endian(0x0800 + static_cast<std::int64_t>(sizes.size()));
  for (const auto size : sizes) out += big_endian(size);
  return out += data;
}

std::string gzipped(std::string_view bytes) {
  z_stream stream{};
  // 16: gzip header and trailer
  deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  if (deflate(&stream, Z_FINISH) != Z_STREAM_END) throw std::runtime_error("deflate");
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string png_chunk(std::string_view type, std::string_view data) {
  const std::string body = std::string(type) + std::string(data);
  const auto crc = crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
  return big_endian(static_cast<std::int64_t>(data.size())) + body + big_endian(static_cast<std::int64_t>(crc));
}

std::string hand_made_png(std::int64_t width, std::int64_t height, int depth, int color, std::string_view scanlines,
                          std::string_view before, int interlace) {
  uLongf size = compressBound(scanlines.size());
  std::string packed(size, '\0');
  compress(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(scanlines.data()),
           scanlines.size());
  packed.resize(size);
  std::string header = big_endian(width) + big_endian(height);
  for (const int value : {depth, color, 0, 0, interlace}) header += static_cast<char>(value);
  return "\x89PNG\r\n\x1a\n" + png_chunk("IHDR", header) + std::string(before) + png_chunk("IDAT", packed) +
         png_chunk("IEND", "");
}

std::string jpeg_bytes(const Tensor& image, bool progressive) {
  const Tensor pixels = image.permute({1, 2, 0}).contiguous();
  jpeg_compress_struct jpeg{};
  jpeg_error_mgr errors{};
  jpeg.err = jpeg_std_error(&errors);  // ends the program at an error
  jpeg_create_compress(&jpeg);
  unsigned char* data = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&jpeg, &data, &size);
  jpeg.image_height = static_cast<JDIMENSION>(pixels.size(0));
  jpeg.image_width = static_cast<JDIMENSION>(pixels.size(1));
  jpeg.input_components = static_cast<int>(pixels.size(2));
  jpeg.in_color_space = pixels.size(2) == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(&jpeg);
  jpeg_set_quality(&jpeg, 100, TRUE);
  if (progressive) jpeg_simple_progression(&jpeg);
  jpeg_start_compress(&jpeg, TRUE);
  while (jpeg.next_scanline < jpeg.image_height) {
    JSAMPROW row = pixels.data_ptr<std::uint8_t>() + jpeg.next_scanline * pixels.size(1) * pixels.size(2);
    jpeg_write_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_compress(&jpeg);
  jpeg_destroy_compress(&jpeg);
  std::string bytes(reinterpret_cast<const char*>(data), size);
  std::free(data);
  return bytes;
}

std::string zip_bytes(const TemporaryFolder& folder, const Files& entries, bool deflated) {
  const std::string path = folder / "written.zip";
  std::filesystem::remove(path);
  zip_t* zip = zip_open(path.c_str(), ZIP_CREATE, nullptr);
  for (const auto& [name, bytes] : entries) {
    zip_source_t* source = zip_source_buffer(zip, bytes.data(), bytes.size(), 0);
    const auto index = zip_file_add(zip, name.c_str(), source, ZIP_FL_ENC_UTF_8);
    if (index < 0) throw std::runtime_error(zip_strerror(zip));
    zip_set_file_compression(zip, static_cast<zip_uint64_t>(index), deflated ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0);
  }
  if (zip_close(zip) != 0) throw std::runtime_error(zip_strerror(zip));
  std::string bytes = read_file(path);
  std::filesystem::remove(path);
  return bytes;
}

}  // namespace edmund::testing
