#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

/// The files of a checkpoint folder as they lie on the disk. Functions that check answer what is
/// wrong, beginning with the name of the file, or nothing.
namespace edmund::checkpoint_files {

constexpr std::int64_t kVersion = 1;
constexpr const char* kParts[] = {"network.safetensors", "ema.safetensors", "optimizer.safetensors"};
constexpr const char* kNetwork = kParts[0];
constexpr const char* kEma = kParts[1];
constexpr const char* kOptimizer = kParts[2];

/// JSON as text; what is not UTF-8 is replaced.
std::string text(const nlohmann::json& value, int indent = -1);
/// Checksum of everything else in state.json.
std::string own_checksum(nlohmann::json state);

/// Reads and checks state.json: after this every value that it must have is there and of its type.
std::string read_state(const std::filesystem::path& folder, nlohmann::json& state);
/// Compares a file's size with state.json.
std::string check_size(const std::filesystem::path& folder, const nlohmann::json& state, const char* part);
/// Reads a file and compares it with state.json.
std::string read_part(const std::filesystem::path& folder, const nlohmann::json& state, const char* part,
                      std::string& bytes);

/// Why a checkpoint is not healthy; empty: it is, or it is of a version that did not tell.
std::string fault(const nlohmann::json& state);
/// The same of a folder; nothing if its files have not the sizes that they must have.
std::optional<std::string> fault(const std::filesystem::path& folder);

/// What the names of folders begin with that are not, or no longer, a checkpoint.
constexpr const char* kAside = ".tmp-";
/// Such a name beside a checkpoint: ".tmp-000000000128-new-PID".
std::filesystem::path aside(const std::filesystem::path& folder, const char* purpose);
/// Where a checkpoint belongs that bears the name aside(folder, "former") while it is replaced;
/// empty for other names.
std::filesystem::path place_of_former(const std::filesystem::path& path);

/// Checkpoints in a folder by their number of images, newest first. One that lost its name before
/// that which replaces it got it, as its process died, is among them.
std::vector<std::filesystem::path> listed(const std::filesystem::path& folder);
/// Number of images of one of these.
std::int64_t position(const std::filesystem::path& path);

}  // namespace edmund::checkpoint_files
