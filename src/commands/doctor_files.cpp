#include "doctor_files.h"

#include "edmund/core/file_system.h"
#include "edmund/core/folder_lock.h"
#include "edmund/core/left_over.h"
#include "edmund/core/text.h"

#include <algorithm>
#include <sys/resource.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace edmund {
namespace {

namespace fs = std::filesystem;

std::string bytes_text(std::uintmax_t bytes) { return human_count(static_cast<double>(bytes)) + "B"; }

Finding space_of(const std::string& what, const fs::path& folder) {
  std::error_code error;
  const fs::space_info space = fs::space(folder, error);
  if (error) return {what, format("{}: {}", folder, error.message()), "name another folder, or make this one"};
  constexpr std::uintmax_t kLittle = std::uintmax_t{1} << 30;
  return {what, format("{} free in {}", bytes_text(space.available), folder),
          space.available < kLittle ? "little: a training whose checkpoints find no place ends with exit code 74" : ""};
}

Finding limit_of(const std::string& what, int resource, ::rlim_t enough) {
  rlimit limit = {};
  if (::getrlimit(static_cast<__rlimit_resource>(resource), &limit) != 0) return {what, "unknown", ""};
  const bool is_free = limit.rlim_cur == RLIM_INFINITY;
  return {what, is_free ? "unlimited" : grouped(static_cast<std::int64_t>(limit.rlim_cur)),
          is_free || limit.rlim_cur >= enough ? "" : "low: ulimit raises it"};
}

// What is written aside and put in its place is asked of the disk itself.
Finding promises_of(const fs::path& folder) {
  const fs::path place = folder / format(".doctor-{}", ::getpid());
  FileSystem& system = file_system();
  std::vector<std::string> missing;
  try {
    remove_tree(place);
    require_done(system.make_folder(place), "cannot make the folder", place);
    for (const char* name : {"a", "b"}) require_done(system.make_folder(place / name), "cannot make the folder", place);
    if (system.sync_folder(place)) missing.emplace_back("syncing folders");
    if (!system.rename_new(place / "a", place / "b")) missing.emplace_back("refusing names that are taken");
    if (system.exchange(place / "a", place / "b")) missing.emplace_back("exchanging names");
    remove_tree(place);
  } catch (const DiskError& error) {
    return {"disk", error.what(), "a run needs a folder that can be written"};
  }
  std::string text;
  for (const std::string& name : missing) text += (text.empty() ? "" : ", ") + name;
  return {"disk", text.empty() ? "keeps what is saved" : "works without " + text, ""};
}

void examine_run(const fs::path& run, std::vector<Finding>& out) {
  const std::string what = "run " + run.string();
  const FolderOwner owner = folder_owner(run);
  if (!owner.text.empty())
    out.push_back({what, (owner.holds ? "being " : "was being ") + owner.text,
                   owner.holds ? "" : "its process is gone: the same command goes on"});
  std::int64_t unfinished = 0;
  for (const std::string& name : file_system().names(run / "checkpoints"))
    unfinished += name.starts_with(".tmp-") ? 1 : 0;
  std::int64_t parts = 0;
  for (const fs::path& folder : {run, run / "images", run / "averages"}) parts += std::ssize(left_over(folder));
  if (!owner.holds && unfinished + parts > 0)
    out.push_back({what, format("left over: {} unfinished checkpoints, {} unfinished files", unfinished, parts),
                   "the next training of this run clears them"});
  if (const auto work = file_system().names(run / ".unfinished"); !work.empty())
    out.push_back(
        {what, format("{} unfinished commands kept what they had", work.size()), "the same commands go on from there"});
}

}  // namespace

std::vector<Finding> examine_files(const fs::path& folder) {
  std::error_code error;
  const bool is_there = fs::is_directory(folder, error);
  const fs::path place = is_there ? folder : fs::path(".");
  std::vector<Finding> out = {space_of("space for runs", place),
                              space_of("space for what is unpacked ($TMPDIR)", fs::temp_directory_path(error)),
                              promises_of(place),
                              limit_of("open files at once", RLIMIT_NOFILE, 256),
                              limit_of("bytes of a file", RLIMIT_FSIZE, ::rlim_t{1} << 32),
                              limit_of("bytes of memory", RLIMIT_AS, ::rlim_t{1} << 32)};
  if (!is_there) return out;
  std::vector<fs::path> runs;
  if (fs::exists(folder / "config.yaml", error)) runs.push_back(folder);
  for (const std::string& name : file_system().names(folder))
    if (fs::exists(folder / name / "config.yaml", error)) runs.push_back(folder / name);
  std::ranges::sort(runs);
  for (const fs::path& run : runs) examine_run(run, out);
  return out;
}

}  // namespace edmund
