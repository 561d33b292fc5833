#pragma once

#include "edmund/core/tensor.h"
#include "edmund/io/pickle.h"

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
  std::shared_ptr<const PickleFile> pickle;  // null if it is none
};

/// A row of the table.
struct ForeignEntry {
  std::string_view name, about, source;
  bool (*is_one)(const ForeignFile& file);
  ForeignModel (*read)(const ForeignFile& file);
};
/// Every kind of file that is converted.
std::span<const ForeignEntry> foreign_table();

/// Reads a model of another project; `kind` of foreign_table(), or "" to find it out. Nothing in
/// the file is executed. Throws Error naming what is no model of a known kind, damaged, or of
/// settings that no network here has.
ForeignModel read_foreign(const std::filesystem::path& path, std::string_view kind = "");

}  // namespace edmund
