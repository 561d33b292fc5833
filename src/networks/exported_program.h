#pragma once

#include "edmund/core/tensor.h"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace edmund {

/// A program that PyTorch exported: a TorchScript archive, or a package that AOTInductor compiled.
/// LibTorch's headers for both take a compiler long to read; they stay in this class's source.
class ExportedProgram {
 public:
  enum class Kind { kTorchScript, kPackage };

  /// Loads it, which runs code of its author. Throws Error, in one line that begins with the file,
  /// for what is neither of the two, is damaged, was made by a newer PyTorch or for another
  /// processor or device.
  explicit ExportedProgram(const std::filesystem::path& file);
  ~ExportedProgram();
  ExportedProgram(const ExportedProgram&) = delete;
  ExportedProgram& operator=(const ExportedProgram&) = delete;

  Kind kind() const;
  /// TorchScript moves; a package stays on the device that it was compiled for. Throws Error if
  /// that is another one.
  void to(at::Device device);
  /// The one tensor that it answers. TorchScript's can be differentiated. Throws Error in one line
  /// for whatever the program throws, and for another answer.
  Tensor run(const std::vector<Tensor>& inputs);

 private:
  struct Loaded;
  std::string file_;
  std::unique_ptr<Loaded> loaded_;
};

}  // namespace edmund
