#pragma once

#include "edmund/io/tensor_file.h"

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace edmund::testing {

/// One file of reference numbers: its tensors, its description, how many values were checked and
/// which tensors were used.
class Golden {
 public:
  explicit Golden(const std::filesystem::path& path);

  /// File name without ".safetensors".
  const std::string& name() const { return name_; }
  /// The description ("golden" metadata): kind, reference, settings, tolerance, notes, what.
  const nlohmann::json& about() const { return about_; }
  const nlohmann::json& settings() const;
  /// Settings of one case, see case_settings().
  nlohmann::json settings(const std::string& name) const;
  /// All notes, one a line.
  std::string notes() const;

  bool has(const std::string& tensor) const { return file_.tensors.contains(tensor); }
  /// Names that start with `prefix`, sorted.
  std::vector<std::string> names(std::string_view prefix = "") const;
  /// The first parts, up to a dot, of what follows `prefix` in the names: the cases of a file.
  std::vector<std::string> parts(std::string_view prefix = "") const;
  /// The tensor; marks it as used. Throws Error if it is missing.
  const Tensor& use(const std::string& tensor);
  /// The same in double precision, on the device of a TestDevice that lives.
  Tensor real(const std::string& tensor);
  /// A one-element tensor as a number.
  double number(const std::string& tensor);
  /// Elements of a tensor, flattened.
  std::vector<double> reals(const std::string& tensor);

  /// Checks max|ours - ref| <= tolerance · max|ref|. Shapes must agree up to dimensions of size 1.
  void check_max(const std::string& tensor, const Tensor& ours, double tolerance);
  /// Checks |ours - ref| <= relative·|ref| + absolute for each element.
  void check_each(const std::string& tensor, const Tensor& ours, double relative, double absolute = 0.0);
  void check_each(const std::string& tensor, const std::vector<double>& ours, double relative, double absolute = 0.0);
  void check_equal(const std::string& tensor, const Tensor& ours) { check_each(tensor, ours, 0.0, 0.0); }
  /// The same against a reference that is not stored as such (a slice, a sum); `label` is for the
  /// message.
  void check_max_of(const std::string& label, const Tensor& ours, const Tensor& reference, double tolerance);
  void check_each_of(const std::string& label, const Tensor& ours, const Tensor& reference, double relative,
                     double absolute = 0.0);
  /// Counts a yes-or-no check.
  void check(const std::string& label, bool holds);

  std::int64_t checks() const { return checks_; }
  std::vector<std::string> unused() const;
  /// Prints `golden FILE: N checks`. Fails if nothing was checked or a tensor was neither used nor
  /// matches one of `ignored` (`*` = anything).
  void finish(const std::vector<std::string>& ignored = {});

 private:
  TensorFile file_;
  std::string name_;
  nlohmann::json about_;
  std::set<std::string> used_;
  std::int64_t checks_ = 0;
};

/// What a case's settings say: {} for "defaults", the object for "v1: {…}" or for an object.
nlohmann::json case_settings(const nlohmann::json& value);
/// The number that `pattern`, a regular expression with one group, finds in `text`. Throws Error if
/// there is none.
double number_in(const std::string& text, const std::string& pattern);

/// EDMUND_GOLDEN_DIR, or tests/golden of the source tree.
std::filesystem::path golden_folder();

/// Runs `body`, then finish(ignored), on each golden file whose name starts with one of `prefixes`
/// and with none of `other_kinds`; an Error fails the test and the next file follows. Fails if
/// there is no such file, unless EDMUND_GOLDEN_DIR names a folder of other golden files.
void for_each_golden(const std::vector<std::string>& prefixes, const std::function<void(Golden&)>& body,
                     const std::vector<std::string>& ignored = {}, const std::vector<std::string>& other_kinds = {});

/// `text` fits `pattern`, where `*` stands for any characters.
bool fits(std::string_view text, std::string_view pattern);

}  // namespace edmund::testing
