#include "edmund/data/fingerprint.h"

#include "edmund/core/files.h"
#include "edmund/data/dataset.h"
#include "edmund/data/image_source.h"
#include "pass.h"

#include <string>

namespace edmund {

std::string difference(const DataFingerprint& there, const DataFingerprint& here) {
  if (there.images != here.images) return format("{} images there, {} here", there.images, here.images);
  if (there.content != here.content) return format("as many images ({}), but with other names or content", here.images);
  return there.labels != here.labels ? format("the same {} images, but in other classes", here.images) : "";
}

DataFingerprint fingerprint(const ImageSource& source) {
  constexpr std::size_t kDigits = 16;  // of a checksum
  std::string contents(static_cast<std::size_t>(source.size) * kDigits, '0'), labels;
  for_all_images(source.size, "taking the data's fingerprint", [&](std::int64_t i) {
    checksum(source.content(i)).copy(contents.data() + static_cast<std::size_t>(i) * kDigits, kDigits);
  });
  for (const auto& name : source.class_names) labels += name + '\0';
  for (const auto label : source.labels) labels += std::to_string(label) + ' ';
  return {.images = source.size, .content = checksum(contents), .labels = checksum(labels)};
}

}  // namespace edmund
