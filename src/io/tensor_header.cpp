#include "tensor_header.h"

#include "edmund/core/error.h"
#include "edmund/core/shape_size.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

namespace edmund {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxRank = 16;
constexpr std::pair<std::string_view, at::ScalarType> kTypes[] = {
    {"F64", at::kDouble}, {"F32", at::kFloat}, {"F16", at::kHalf}, {"BF16", at::kBFloat16}, {"I64", at::kLong},
    {"I32", at::kInt},    {"I16", at::kShort}, {"I8", at::kChar},  {"U8", at::kByte},       {"BOOL", at::kBool},
};

// Names come from the file: what is shown of them is printable and short.
std::string shown(std::string_view name) {
  std::string out;
  for (const char c : name.substr(0, 80)) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return name.size() > 80 ? out + "…" : out;
}

// Accepts {"name": {"dtype": text, "shape": [n…], "data_offsets": [n, n]}, "__metadata__": {text:
// text}} and nothing else, so that nesting, repeated names and odd types are refused where they
// appear, before anything is built of them.
class HeaderReader : public nlohmann::json_sax<Json> {
 public:
  HeaderReader(TensorHeader& header, std::string_view file) : header_(header), file_(file) {}

  bool null() override { return unexpected("null"); }
  bool boolean(bool) override { return unexpected("a truth value"); }
  bool number_integer(number_integer_t) override { return unexpected("a negative number"); }
  bool number_float(number_float_t, const string_t&) override {
    return unexpected("a fraction or a number that is too large");
  }
  bool binary(binary_t&) override { return unexpected("binary data"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (!in_array_) return unexpected("a number");
    if (field_ == "shape") {
      require(record_.shape.size() < kMaxRank, "{}: tensor '{}' has more than {} dimensions", file_,
              shown(record_.name), kMaxRank);
      require(value <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()),
              "{}: tensor '{}': dimension {} is absurd", file_, shown(record_.name), value);
      record_.shape.push_back(static_cast<std::int64_t>(value));
    } else {
      require(offsets_.size() < 2, "{}: tensor '{}' has more than two data_offsets", file_, shown(record_.name));
      offsets_.push_back(value);
    }
    return true;
  }

  bool string(string_t& value) override {
    if (depth_ == 2 && in_metadata_) {
      header_.metadata[field_] = value;
      return true;
    }
    if (depth_ != 2 || in_array_ || field_ != "dtype") return unexpected("a text");
    for (const auto& [name, type] : kTypes)
      if (name == value) record_.dtype = type;
    require(dtype_name(record_.dtype) == value,
            "{}: tensor '{}' has the unknown dtype '{}'; known: F64 F32 F16 BF16 I64 I32 I16 I8 U8 BOOL", file_,
            shown(record_.name), shown(value));
    return true;
  }

  bool start_object(std::size_t) override {
    if (depth_ == 2 || in_array_) return unexpected("a mapping");
    ++depth_;
    fields_.clear();
    return true;
  }

  bool key(string_t& name) override {
    if (depth_ == 1) {
      require(!name.empty() && names_.insert(name).second, "{}: the name '{}' {}", file_, shown(name),
              name.empty() ? "is empty" : "appears twice");
      in_metadata_ = name == "__metadata__";
      record_ = {};
      record_.name = name;
      offsets_.clear();
      return true;
    }
    field_ = name;
    require(fields_.insert(name).second, "{}: '{}' appears twice in '{}'", file_, shown(name), shown(record_.name));
    require(in_metadata_ || name == "dtype" || name == "shape" || name == "data_offsets",
            "{}: tensor '{}' has the unknown field '{}'", file_, shown(record_.name), shown(name));
    return true;
  }

  bool end_object() override {
    --depth_;
    if (depth_ == 1 && !in_metadata_) {
      require(fields_.size() == 3 && offsets_.size() == 2, "{}: tensor '{}' needs dtype, shape and two data_offsets",
              file_, shown(record_.name));
      record_.begin = offsets_[0];
      record_.end = offsets_[1];
      header_.records.push_back(std::move(record_));
    }
    return true;
  }

  bool start_array(std::size_t) override {
    if (depth_ != 2 || in_array_ || in_metadata_ || field_ == "dtype") return unexpected("a list");
    in_array_ = true;
    return true;
  }

  bool end_array() override {
    in_array_ = false;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    fail("{}: the header is not JSON (byte {})", file_, position);
  }

 private:
  bool unexpected(std::string_view what) const {
    fail("{}: the header has {} where it does not belong{}", file_, what,
         record_.name.empty() ? "" : " (in '" + shown(record_.name) + "')");
  }

  TensorHeader& header_;
  std::string file_;
  int depth_ = 0;
  bool in_array_ = false, in_metadata_ = false;
  std::string field_;
  std::set<std::string> names_, fields_;
  TensorRecord record_;
  std::vector<std::uint64_t> offsets_;
};

}  // namespace

std::string_view dtype_name(at::ScalarType dtype) {
  for (const auto& [name, type] : kTypes)
    if (type == dtype) return name;
  return "";
}

TensorHeader parse_header(std::string_view json, std::uint64_t data_size, std::string_view file) {
  TensorHeader header;
  HeaderReader reader(header, file);
  // The parser takes a NUL for the end of the text.
  if (const auto nul = json.find('\0'); nul != std::string_view::npos)
    fail("{}: the header is not JSON (byte {})", file, nul + 1);
  Json::sax_parse(json.begin(), json.end(), &reader);

  auto& records = header.records;
  std::sort(records.begin(), records.end(),
            [](const auto& a, const auto& b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
  std::uint64_t at = 0;
  for (const auto& record : records) {
    const auto name = shown(record.name);
    require(record.begin <= record.end && record.end <= data_size, "{}: tensor '{}' claims bytes {} to {} of {}", file,
            name, record.begin, record.end, data_size);
    require(record.begin == at, "{}: tensor '{}' starts at byte {} of the data, {} expected ({})", file, name,
            record.begin, at, record.begin < at ? "tensors overlap" : "a gap");
    const auto bytes = shape_size(record.shape, c10::elementSize(record.dtype));
    require(bytes.has_value(), "{}: the shape of tensor '{}' is absurd", file, name);
    require(*bytes == record.end - record.begin, "{}: tensor '{}' has {} bytes, its shape needs {}", file, name,
            record.end - record.begin, *bytes);
    at = record.end;
  }
  require(at == data_size, "{}: {} bytes after the last tensor", file, data_size - at);
  return header;
}

}  // namespace edmund
