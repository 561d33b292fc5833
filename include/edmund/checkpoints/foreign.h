#pragma once

#include "edmund/checkpoints/foreign_settings.h"
#include "edmund/core/tensor.h"
#include "edmund/io/pickle.h"
#include "edmund/io/tensor_file.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace edmund {

/// A model that another project saved, as edmund runs it.
struct ForeignModel {
  std::string kind;         // of foreign_table()
  std::string config;       // YAML: image, network, preconditioning, and its authors' way to sample
  NamedTensors weights;     // float32, named as our network names them
  std::string about;        // what was found, in one line: class, weights (EMA or raw)
  std::int64_t images = 0;  // trained on, as far as the file tells
};

/// A file as far as it was read to learn what it is.
struct ForeignFile {
  std::filesystem::path path;
  std::shared_ptr<const PickleFile> pickle = nullptr;   // null if it is none
  std::shared_ptr<const TensorFile> tensors = nullptr;  // of safetensors; null if it is none
  /// What the user states that the file does not tell.
  std::shared_ptr<const ForeignSettings> settings = std::make_shared<ForeignSettings>();
};

/// A row of the table.
struct ForeignEntry {
  std::string_view name, about, source;
  bool (*is_one)(const ForeignFile& file);
  ForeignModel (*read)(const ForeignFile& file);
};
/// Every kind of file that is converted.
std::span<const ForeignEntry> foreign_table();

/// Reads a model of another project; `kind` of foreign_table(), or "" to find it out; `settings`
/// are what the file does not tell, by the names that the kind's page has. Nothing in the file is
/// executed. Throws Error naming what is no model of a known kind, damaged, of settings that no
/// network here has, or not told.
ForeignModel read_foreign(const std::filesystem::path& path, std::string_view kind = "",
                          const ForeignSettings& settings = {});

}  // namespace edmund
