// Pickles, byte by byte: what is read, and what is refused.
#include "edmund/io/pickle.h"

#include "edmund/core/error.h"
#include "support/catch.h"
#include "support/temporary_folder.h"

#include <ATen/ATen.h>
#include <fstream>

namespace edmund {
namespace {

using Kind = PickleValue::Kind;

std::string text(std::string_view content) {
  return std::string("\x8c") + static_cast<char>(content.size()) + std::string(content);
}
std::string global(std::string_view module, std::string_view name) {
  return "c" + std::string(module) + "\n" + std::string(name) + "\n";
}
std::string pickle(const std::string& content) { return "\x80\x04" + content + "."; }
std::string little(std::uint64_t value, std::size_t bytes) {
  std::string out;
  for (std::size_t i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
  return out;
}
std::string repeated(const std::string& part, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += part;
  return out;
}

// A file of torch.save without an archive: a storage of four floats 1, 2, 3, 4.
std::string torch_storage() {
  const std::string magic = std::string("\x80\x02\x8a\x0a") + "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19" + ".";
  const std::string id = "(" + text("storage") + global("torch", "FloatStorage") + text("7") + text("cpu") + "K\x04NtQ";
  std::string values;
  for (const float value : {1.0F, 2.0F, 3.0F, 4.0F}) values += std::string(reinterpret_cast<const char*>(&value), 4);
  return magic + pickle("M\xe9\x03") + pickle("}") + pickle(id) + pickle("]" + text("7") + "a") + little(4, 8) + values;
}

// A tensor that shares that storage.
std::string tensor(const std::string& sizes, const std::string& strides,
                   const std::string& offset = std::string("K\x00", 2)) {
  const std::string inner = torch_storage();
  return global("torch._utils", "_rebuild_tensor_v2") + "(" + global("torch.storage", "_load_from_bytes") + "B" +
         little(inner.size(), 4) + inner + "\x85R" + offset + sizes + strides + "\x89" +
         global("collections", "OrderedDict") + ")RtR";
}

class Written {
 public:
  explicit Written(const std::string& bytes) : path_(folder_.path() / "model.pkl") {
    std::ofstream(path_, std::ios::binary) << bytes;
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  testing::TemporaryFolder folder_;
  std::filesystem::path path_;
};

std::string fault_of(const std::string& bytes) {
  const Written file(bytes);
  try {
    const PickleFile pickle(file.path());
    if (pickle.root().kind == Kind::kTensor) pickle.tensor(pickle.root(), "t");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("values of a pickle are read as data", "[io]") {
  const Written file(pickle("}\x94(" + text("a") + "J\xfe\xff\xff\xff" + text("b") +
                            std::string("G\x3f\xf8\x00\x00\x00\x00\x00\x00", 9) + text("c") + "(K\x01K\x02t" +
                            text("d") + "\x88" + text("e") + "\x8a\x01\xff" + text("self") + std::string("h\x00", 2) +
                            "u"));
  const PickleFile pickle(file.path());
  const PickleValue& root = pickle.root();
  REQUIRE(root.kind == Kind::kMapping);
  CHECK(root.find("a")->integer == -2);
  CHECK(root.find("b")->real == 1.5);
  REQUIRE(root.find("c")->items.size() == 2);
  CHECK(root.find("c")->items[1]->integer == 2);
  CHECK(root.find("d")->kind == Kind::kBool);
  CHECK(root.find("e")->integer == -1);
  CHECK(root.find("self") == &root);  // a circle, read and let go
  CHECK(root.find("z") == nullptr);
}

TEST_CASE("tensors of a pickle share their memory", "[io]") {
  const Written file(pickle(tensor("K\x02K\x02\x86", "K\x01K\x02\x86")));
  const PickleFile pickle(file.path());
  CHECK(at::equal(pickle.tensor(pickle.root(), "t"), at::tensor({1.0F, 3.0F, 2.0F, 4.0F}).reshape({2, 2})));
}

TEST_CASE("hostile and damaged pickles are refused by name", "[io]") {
  struct Case {
    std::string what, bytes, says;
  };
  const std::string call = text("echo") + "\x85R";
  std::vector<Case> cases = {
      {"code", pickle(global("os", "system") + call), "'os.system'"},
      {"code in protocol 4", pickle(text("builtins") + text("eval") + "\x93" + call), "'builtins.eval'"},
      {"an instance", pickle(global("subprocess", "Popen") + ")\x81"), "'subprocess.Popen'"},
      {"a name that controls terminals", pickle(global("os\x1b[2J", "x") + call), "\\x1b"},
      {"old protocol", "(lp0\n.", "opcode"},
      {"protocol 9", std::string("\x80\x09N."), "protocol 9"},
      {"no end", "\x80\x04N", "cut short"},
      {"an end before a value", "\x80\x04.", "before a value"},
      {"a lying length", pickle(std::string("X\xff\xff\xff\x7f", 5) + "abc"), "cut short"},
      {"a giant length", pickle("\x8e" + std::string(8, '\xff') + "abc"), "cut short"},
      {"no such memory", pickle("h\x07"), "holds nothing"},
      {"no mark", pickle("t"), "mark"},
      {"a value too many taken", pickle("]a"), "missing"},
      {"elements of a number",
       pickle("K\x01K\x02"
              "a"),
       "has none"},
      {"a key without a value", pickle("}(K\x01u"), "without a value"},
      {"an extension", pickle("\x82\x01"), "opcode"},
      {"a reference out of it", pickle("K\x01Q"), "out of the pickle"},
      {"a call of a number", pickle("K\x01)R"), "no name"},
      {"other arguments", pickle(global("torch._utils", "_rebuild_tensor_v2") + ")R"), "other arguments"},
      {"millions of values", pickle(repeated("N0", 1'100'000)), "1000000"},
      {"values that are remembered without an end", pickle("N" + repeated("\x94", 2'100'000)), "remember"},
      {"names without an end",
       pickle("X" + little(4'000'000, 4) + std::string(4'000'000, 'a') + "\x94" +
              repeated(std::string("h\0h\0\x93"
                                   "0",
                                   6),
                       10)),
       "bytes of names"},
      {"a tower of lists", pickle(repeated("]", 90'000) + repeated("a", 100'000)), "missing"},
      {"files inside of files", pickle(global("torch.storage", "_load_from_bytes") + "C\x02\x80\x04\x85R"),
       "cut short"},
      {"a tensor past its memory", pickle(tensor("K\x05\x85", "K\x01\x85")), "'t' reaches out"},
      {"an offset past its memory", pickle(tensor("K\x01\x85", "K\x01\x85", "K\x04")), "'t' reaches out"},
      {"an offset below its memory", pickle(tensor("K\x01\x85", "K\x01\x85", "J\xff\xff\xff\xff")), "'t' reaches out"},
      {"a tensor that repeats its memory", pickle(tensor("J\xff\xff\xff\x7f\x85", std::string("K\x00\x85", 3))),
       "'t' reaches out"},
      {"sizes that overflow",
       pickle(tensor("J\xff\xff\xff\x7fJ\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x87", std::string("K\x00K\x00K\x00\x87", 7))),
       "'t' reaches out"},
      {"strides below zero", pickle(tensor("K\x02\x85", "J\xff\xff\xff\xff\x85")), "'t' reaches out"},
      {"a cut storage", torch_storage().substr(0, torch_storage().size() - 3), "cut short"},
  };
  for (const auto& [what, bytes, says] : cases) {
    INFO(what);
    const std::string fault = fault_of(bytes);
    CAPTURE(fault);
    CHECK(fault.find(says) != std::string::npos);
    CHECK(fault.find('\n') == std::string::npos);
    CHECK(fault.find("model.pkl") != std::string::npos);
  }
}

TEST_CASE("every cut and many changed bytes of a pickle are an error or data, never a crash", "[io]") {
  const std::string whole = pickle("}(" + text("w") + tensor("K\x02K\x02\x86", "K\x01K\x02\x86") + "u");
  for (std::size_t size = 2; size < whole.size(); ++size) CHECK_FALSE(fault_of(whole.substr(0, size)).empty());
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ (1 << at % 8));
    fault_of(changed);
  }
}

}  // namespace edmund
