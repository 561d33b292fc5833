#include "support/golden.h"

#include "edmund/core/error.h"
#include "support/catch.h"
#include "support/device.h"

#include <algorithm>
#include <ATen/ops/tensor.h>
#include <cstdlib>
#include <iostream>
#include <regex>

namespace edmund::testing {
namespace {

std::vector<std::int64_t> squeezed(at::IntArrayRef shape) {
  std::vector<std::int64_t> out;
  for (const auto size : shape)
    if (size != 1) out.push_back(size);
  return out;
}

// |ours - ref| in double precision; 0 where both are the same infinity, NaN stays NaN.
Tensor difference(const Tensor& ours, const Tensor& ref) {
  const Tensor a = ours.detach().cpu().to(at::kDouble).reshape(-1), b = ref.cpu().to(at::kDouble).reshape(-1);
  return at::where(a == b, at::zeros_like(a), (a - b).abs());
}

double largest(const Tensor& values) {
  return values.numel() == 0 ? 0.0 : values.to(at::kDouble).abs().max().item<double>();
}

}  // namespace

Golden::Golden(const std::filesystem::path& path) : file_(read_tensors(path)), name_(path.stem().string()) {
  const auto text = file_.metadata.find("golden");
  require(text != file_.metadata.end(), "{}: no 'golden' metadata", path.string());
  about_ = nlohmann::json::parse(text->second);
}

const nlohmann::json& Golden::settings() const { return about_.at("settings"); }

nlohmann::json Golden::settings(const std::string& name) const {
  require(settings().contains(name), "golden {}: no settings for '{}'", name_, name);
  return case_settings(settings().at(name));
}

std::string Golden::notes() const {
  std::string out;
  for (const auto& note : about_.value("notes", nlohmann::json::array())) out += note.get<std::string>() + "\n";
  return out;
}

std::vector<std::string> Golden::names(std::string_view prefix) const {
  std::vector<std::string> out;
  for (const auto& [name, tensor] : file_.tensors)
    if (name.starts_with(prefix)) out.push_back(name);
  return out;
}

std::vector<std::string> Golden::parts(std::string_view prefix) const {
  std::set<std::string> out;
  for (const auto& name : names(prefix))
    out.insert(name.substr(prefix.size(), name.find('.', prefix.size()) - prefix.size()));
  return {out.begin(), out.end()};
}

const Tensor& Golden::use(const std::string& tensor) {
  used_.insert(tensor);
  return file_.at(tensor);
}

at::Device& chosen_device() {
  static at::Device device = at::kCPU;
  return device;
}
at::Device TestDevice::current() { return chosen_device(); }

Tensor Golden::real(const std::string& tensor) { return use(tensor).to(TestDevice::current(), at::kDouble); }

double Golden::number(const std::string& tensor) {
  const Tensor value = real(tensor);
  require(value.numel() == 1, "golden {}: '{}' is not one number", name_, tensor);
  return value.item<double>();
}

std::vector<double> Golden::reals(const std::string& tensor) {
  const Tensor value = use(tensor).to(at::kDouble).contiguous();
  return {value.data_ptr<double>(), value.data_ptr<double>() + value.numel()};
}

void Golden::check_max(const std::string& tensor, const Tensor& ours, double tolerance) {
  check_max_of(tensor, ours, use(tensor), tolerance);
}

void Golden::check_each(const std::string& tensor, const Tensor& ours, double relative, double absolute) {
  check_each_of(tensor, ours, use(tensor), relative, absolute);
}

void Golden::check_each(const std::string& tensor, const std::vector<double>& ours, double relative, double absolute) {
  check_each(tensor, at::tensor(at::ArrayRef<double>(ours)), relative, absolute);
}

void Golden::check_max_of(const std::string& label, const Tensor& ours, const Tensor& reference, double tolerance) {
  check_each_of(label, ours, reference, 0.0, tolerance * largest(reference));
}

void Golden::check_each_of(const std::string& label, const Tensor& ours, const Tensor& reference, double relative,
                           double absolute) {
  INFO("golden " << name_ << ": " << label << ", ours " << ours.sizes() << ", reference " << reference.sizes());
  CHECK(squeezed(ours.sizes()) == squeezed(reference.sizes()));
  if (ours.numel() != reference.numel()) return;
  checks_ += reference.numel();
  const Tensor error = difference(ours, reference);
  const Tensor allowed = reference.cpu().to(at::kDouble).reshape(-1).abs() * relative + absolute;
  const Tensor bad = at::logical_not(error <= allowed);
  INFO("max |difference| " << largest(error) << ", max |reference| " << largest(reference) << ", allowed " << relative
                           << "·|reference| + " << absolute);
  CHECK(bad.sum().item<std::int64_t>() == 0);
}

void Golden::check(const std::string& label, bool holds) {
  INFO("golden " << name_ << ": " << label);
  ++checks_;
  CHECK(holds);
}

std::vector<std::string> Golden::unused() const {
  std::vector<std::string> out;
  for (const auto& [name, tensor] : file_.tensors)
    if (!used_.contains(name)) out.push_back(name);
  return out;
}

void Golden::finish(const std::vector<std::string>& ignored) {
  std::cout << "golden " << name_ << ": " << checks_ << " checks" << std::endl;
  INFO("golden " << name_);
  CHECK(checks_ > 0);
  std::string forgotten;
  for (const auto& name : unused())
    if (std::none_of(ignored.begin(), ignored.end(), [&](const auto& pattern) { return fits(name, pattern); }))
      forgotten += " " + name;
  INFO("tensors that no check used:" << forgotten);
  CHECK(forgotten.empty());
}

nlohmann::json case_settings(const nlohmann::json& value) {
  if (!value.is_string()) return value;
  auto text = value.get<std::string>();
  if (const auto colon = text.find(": "); text[0] == 'v' && colon <= 4) text = text.substr(colon + 2);
  return text.starts_with("defaults") ? nlohmann::json::object() : nlohmann::json::parse(text);
}

double number_in(const std::string& text, const std::string& pattern) {
  std::smatch found;
  require(std::regex_search(text, found, std::regex(pattern)), "no '{}' in '{}'", pattern, text);
  return std::stod(found[1].str());
}

std::filesystem::path golden_folder() {
  const char* folder = std::getenv("EDMUND_GOLDEN_DIR");
  return folder != nullptr ? folder : EDMUND_TEST_FOLDER "/golden";
}

void for_each_golden(const std::vector<std::string>& prefixes, const std::function<void(Golden&)>& body,
                     const std::vector<std::string>& ignored, const std::vector<std::string>& other_kinds) {
  std::vector<std::filesystem::path> files;
  bool any = false;
  const auto one_of = [](const std::string& name, const std::vector<std::string>& starts) {
    return std::any_of(starts.begin(), starts.end(), [&](const auto& start) { return name.starts_with(start); });
  };
  for (const auto& entry : std::filesystem::directory_iterator(golden_folder())) {
    if (entry.path().extension() != ".safetensors") continue;
    any = true;
    const auto name = entry.path().filename().string();
    if (one_of(name, prefixes) && !one_of(name, other_kinds)) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  INFO("golden files " << prefixes.front() << "* in " << golden_folder());
  CHECK((!files.empty() || (any && std::getenv("EDMUND_GOLDEN_DIR") != nullptr)));
  if (files.empty()) std::cout << "golden " << prefixes.front() << "*: no file" << std::endl;
  for (const auto& path : files) {
    try {
      Golden golden(path);
      body(golden);
      golden.finish(ignored);
    } catch (const std::exception& error) {
      FAIL_CHECK("golden " << path.stem().string() << ": " << error.what());
    }
  }
}

bool fits(std::string_view text, std::string_view pattern) {
  if (pattern.empty()) return text.empty();
  if (pattern.front() == '*') {
    for (std::size_t skip = 0; skip <= text.size(); ++skip)
      if (fits(text.substr(skip), pattern.substr(1))) return true;
    return false;
  }
  return !text.empty() && text.front() == pattern.front() && fits(text.substr(1), pattern.substr(1));
}

}  // namespace edmund::testing
