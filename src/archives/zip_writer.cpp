#include "edmund/archives/zip_archive.h"
#include "edmund/core/error.h"

#include <zip.h>

namespace edmund {
namespace {

// Memory and libzip's inner state are all that can fail here.
void demand(bool holds) {
  if (!holds) throw std::runtime_error("a zip archive could not be written in memory");
}

}  // namespace

std::string zip_bytes(const std::vector<std::pair<std::string, std::string>>& files) {
  const std::unique_ptr<zip_source_t, decltype(&zip_source_free)> memory(
      zip_source_buffer_create(nullptr, 0, 0, nullptr), zip_source_free);
  demand(memory != nullptr);
  zip_source_keep(memory.get());  // zip_close gives up its own share
  zip_t* zip = zip_open_from_source(memory.get(), ZIP_TRUNCATE, nullptr);
  if (zip == nullptr) zip_source_free(memory.get());
  demand(zip != nullptr);
  std::unique_ptr<zip_t, decltype(&zip_discard)> archive(zip, zip_discard);
  for (const auto& [name, bytes] : files) {
    zip_source_t* source = zip_source_buffer(zip, bytes.data(), bytes.size(), 0);
    demand(source != nullptr);
    const zip_int64_t added = zip_file_add(zip, name.c_str(), source, ZIP_FL_ENC_UTF_8);
    if (added < 0) zip_source_free(source);
    demand(added >= 0);
    const auto index = static_cast<zip_uint64_t>(added);
    // 1980-01-01: the same content gives the same bytes
    constexpr zip_uint16_t kFirstDay = 1 << 5 | 1;
    demand(zip_set_file_compression(zip, index, ZIP_CM_STORE, 0) == 0);
    demand(zip_file_set_dostime(zip, index, 0, kFirstDay, 0) == 0);
  }
  demand(zip_close(zip) == 0);
  static_cast<void>(archive.release());

  demand(zip_source_open(memory.get()) == 0);
  zip_stat_t stat;
  zip_stat_init(&stat);
  demand(zip_source_stat(memory.get(), &stat) == 0 && (stat.valid & ZIP_STAT_SIZE) != 0);
  std::string out(stat.size, '\0');
  const zip_int64_t got = zip_source_read(memory.get(), out.data(), out.size());
  zip_source_close(memory.get());
  demand(got == static_cast<zip_int64_t>(out.size()));
  return out;
}

}  // namespace edmund
