// libjpeg reports errors by a jump: the function that it jumps out of owns nothing that has a
// destructor.

#include "image_codecs.h"

#include <ATen/ATen.h>
#include <csetjmp>
#include <cstdio>
#include <jerror.h>
#include <jpeglib.h>

namespace edmund {
namespace {

struct Failure {
  jpeg_error_mgr manager;  // first, so that libjpeg's pointer to it is a pointer to this
  std::jmp_buf back;
  char reason[JMSG_LENGTH_MAX] = "";
};

[[noreturn]] void fail_jpeg(j_common_ptr jpeg) {
  auto* failure = reinterpret_cast<Failure*>(jpeg->err);
  jpeg->err->format_message(jpeg, failure->reason);
  std::longjmp(failure->back, 1);
}

// libjpeg warns, and fills in, where data is missing or makes no sense: the first such warning is
// the reason why the image is refused. Warnings about how a whole image is described are not.
void note_warning(j_common_ptr jpeg, int level) {
  const int code = jpeg->err->msg_code;
  if (level >= 0 || code == JWRN_JFIF_MAJOR || code == JWRN_ADOBE_XFORM) return;
  if (jpeg->err->num_warnings++ == 0) jpeg->err->format_message(jpeg, reinterpret_cast<Failure*>(jpeg->err)->reason);
}

// Whether all scans of a progressive image were there: each makes coefficients more precise, down
// to their last bit.
bool has_all_scans(const jpeg_decompress_struct& jpeg) {
  if (jpeg.coef_bits == nullptr) return true;
  for (int component = 0; component < jpeg.num_components; ++component)
    for (const int unknown_bits : jpeg.coef_bits[component])
      if (unknown_bits != 0) return false;
  return true;
}

// False if libjpeg gave up or had to guess.
bool read_rows(jpeg_decompress_struct& jpeg, Failure& failure, std::string_view bytes, const Tensor& pixels) {
  if (setjmp(failure.back)) return false;
  jpeg_create_decompress(&jpeg);
  jpeg_mem_src(&jpeg, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  jpeg_read_header(&jpeg, TRUE);
  jpeg.out_color_space = pixels.size(2) == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_start_decompress(&jpeg);
  if (jpeg.output_height != pixels.size(0) || jpeg.output_width != pixels.size(1) ||
      jpeg.output_components != pixels.size(2)) {
    std::snprintf(failure.reason, sizeof(failure.reason), "other pixels than its header gives");
    return false;
  }
  const auto stride = static_cast<std::size_t>(pixels.size(1) * pixels.size(2));
  while (jpeg.output_scanline < jpeg.output_height) {
    JSAMPROW row = pixels.data_ptr<std::uint8_t>() + jpeg.output_scanline * stride;
    jpeg_read_scanlines(&jpeg, &row, 1);
  }
  if (!has_all_scans(jpeg)) {
    std::snprintf(failure.reason, sizeof(failure.reason), "scans of a progressive JPEG are missing");
    return false;
  }
  jpeg_finish_decompress(&jpeg);
  return jpeg.err->num_warnings == 0;
}

}  // namespace

std::string decode_jpeg(std::string_view bytes, const Tensor& pixels) {
  Failure failure;
  jpeg_decompress_struct jpeg{};
  jpeg.err = jpeg_std_error(&failure.manager);
  jpeg.err->error_exit = fail_jpeg;
  jpeg.err->emit_message = note_warning;
  const bool done = read_rows(jpeg, failure, bytes, pixels);
  jpeg_destroy_decompress(&jpeg);
  return done ? "" : failure.reason;
}

}  // namespace edmund
