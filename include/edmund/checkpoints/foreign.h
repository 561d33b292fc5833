#pragma once

#include "edmund/checkpoints/foreign_settings.h"
#include "edmund/core/tensor.h"
#include "edmund/io/pickle.h"
#include "edmund/io/tensor_file.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace edmund {

/// What a file does not tell of its own network: a key of the config, and what it means.
struct Unsaid {
  std::string key, about;
};

/// A model that another project saved, as edmund runs it.
struct ForeignModel {
  std::string kind;    // of foreign_table()
  std::string config;  // YAML: image, network, preconditioning, and its authors' way to sample
  // float32, named as our network names them; averaged where the file has averages
  NamedTensors weights;
  std::string about;        // what was found, in one line: class, weights (EMA or raw)
  std::int64_t images = 0;  // trained on, as far as the file tells
  // the weights that were not averaged; empty if the file has one set
  NamedTensors raw = {};
  // what was trained beside the network, under the file's own names
  NamedTensors beside = {};
  std::vector<Unsaid> unsaid = {};  // without which the config is not whole
  // of what the user said, the settings `key.path=value` that lie over the config
  std::vector<std::string> overlay = {};
};

/// A file, or a folder of files, as far as it was read to learn what it is.
struct ForeignFile {
  std::filesystem::path path;
  std::shared_ptr<const PickleFile> pickle = nullptr;   // null if it is none
  std::shared_ptr<const TensorFile> tensors = nullptr;  // of a safetensors file
  std::map<std::string, std::string> said = {};         // the user's `key.path=value`
  // the same where a kind asks for its authors' flags; what it asks for is no setting of the config
  std::shared_ptr<const ForeignSettings> settings = std::make_shared<ForeignSettings>();
};

/// A row of the table.
struct ForeignEntry {
  std::string_view name, about, source;
  bool (*is_one)(const ForeignFile& file);
  ForeignModel (*read)(const ForeignFile& file);
  // of its authors' code: what the network is told of the noise, and which end is noise
  std::string_view convention = {};
};
/// Every kind of file that is converted.
std::span<const ForeignEntry> foreign_table();
/// Whether the file looks like one that is read here: a pickle, one of torch.save, safetensors, or
/// a folder of a known layout.
bool may_be_foreign(const std::filesystem::path& path);

/// Reads a model of another project; `kind` of foreign_table(), or "" to find it out. `said` are
/// settings `key.path=value` of the config, which are to be laid over the model's, or `flag=value`
/// of the authors' program, as some files need; the result lists those that are missing. Nothing in
/// the file is executed. Throws Error naming what is no model of a known kind, damaged, of several
/// possible kinds, or of settings that no network here has.
ForeignModel examine_foreign(const std::filesystem::path& path, std::string_view kind = "",
                             std::span<const std::string> said = {});
/// The same where nothing may be missing: throws Error that names all of it.
ForeignModel read_foreign(const std::filesystem::path& path, std::string_view kind = "",
                          std::span<const std::string> said = {});

}  // namespace edmund
