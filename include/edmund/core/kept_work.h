#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace edmund {

/// Results of the pieces of a long piece of work, kept in a file until all of it is done, so that
/// who starts it again goes on with the piece where it stopped.
///
///   KeptWork kept(folder, "likelihood", everything that the results depend on);
///   for (batch) sum += parsed(kept.piece(batch.name, [&] { return text_of(computed(batch)); }));
///   write_file(result, …);
///   kept.finish();
class KeptWork {
 public:
  /// The file is FOLDER/.unfinished/TASK-<checksum of `identity`>: other settings are other work.
  /// What a killed process left there is taken up, up to the first damaged piece.
  KeptWork(const std::filesystem::path& folder, std::string_view task, std::string_view identity);
  KeptWork(const KeptWork&) = delete;
  KeptWork& operator=(const KeptWork&) = delete;

  /// The kept bytes of the piece of this name, else those of `work()`, kept from now on. Throws
  /// Interrupted in place of working if the process was asked to stop. From any thread; `work` runs
  /// outside the lock.
  std::string piece(const std::string& name, const std::function<std::string()>& work);
  /// How many pieces lie there.
  std::int64_t count() const;
  /// All is done and its result written: takes the file away.
  void finish();

 private:
  void append(const std::string& name, const std::string& bytes);
  std::filesystem::path file_;
  mutable std::mutex mutex_;
  std::map<std::string, std::string> pieces_;
  std::uint64_t bytes_ = 0;  // of the file
};

}  // namespace edmund
