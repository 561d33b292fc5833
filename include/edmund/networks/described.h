#pragma once

#include <string>
#include <vector>

namespace edmund {

/// A network that can say what it is made of, in the order of evaluation.
class Described {
 public:
  virtual ~Described() = default;
  /// One line for each part.
  virtual std::vector<std::string> description() const = 0;
};

}  // namespace edmund
