#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace edmund {

/// Whole file as bytes. Throws Error if it is missing, not a regular file, unreadable or larger
/// than `limit` bytes.
std::string read_file(const std::filesystem::path& path, std::uint64_t limit = 1ull << 32);

/// Replaces the file by `bytes`: written aside in the same folder, synced, renamed, folder synced.
/// The old file stays whole if anything fails. Creates the folder. Throws Error naming the path and
/// the system's reason.
void write_file(const std::filesystem::path& path, std::string_view bytes);

/// Creates the folder and its parents. Throws Error naming the path and the system's reason.
void make_folder(const std::filesystem::path& path);

/// Syncs a finished folder of files, then renames it to `to`, which must not exist.
void publish_folder(const std::filesystem::path& from, const std::filesystem::path& to);

/// xxHash64 (seed 0) of the bytes, as 16 hexadecimal digits.
std::string checksum(std::string_view bytes);

/// Decompresses a .gz file (plain files are read as they are). At most `limit` bytes come out;
/// throws Error beyond, and on truncated or damaged input.
std::string read_gzip(const std::filesystem::path& path, std::uint64_t limit = 1ull << 32);

}  // namespace edmund
