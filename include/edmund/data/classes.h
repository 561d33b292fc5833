#pragma once

#include "edmund/data/dataset.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace edmund {

/// Names for a message: "cat, dog, owl", the middle of a long list left out.
std::string list_of(std::span<const std::string> names);

/// Classes as others number them: of a model, or of the images that a classifier learned from.
struct ClassSet {
  std::int64_t count = 0;               // 0: none
  std::vector<std::string> names = {};  // count entries, or empty
  std::string whose;                    // "the model", for messages
};

/// The same images with their classes numbered as in `classes`: told by name, or by number where
/// one side has no names (with a warning if the other has). Answers `data` as it is where either
/// side has no classes. Throws Error naming images of a class that is not in the set, unless the
/// class has no image.
std::unique_ptr<Dataset> with_classes(std::unique_ptr<Dataset> data, const ClassSet& classes);

}  // namespace edmund
