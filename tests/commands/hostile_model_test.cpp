// Files that are made to harm whoever reads them: code, circles, giant sizes, lying offsets, wrong
// kinds. Each is one clear line and exit code 2, within a second and 256 MB of memory.
#include "../checkpoints/pickles.h"
#include "edmund/archives/zip_archive.h"
#include "support/catch.h"
#include "support/measured.h"

#include <algorithm>

namespace edmund::testing {
namespace {

using namespace pickles;

struct Hostile {
  std::string name;  // what it tries, and the file's ending; a folder's, whose config.json it is
  std::string bytes;
  std::string says;  // in the message
};

std::string call(const std::string& module, const std::string& name) {
  return pickle(called(global(module, name), {text("touch harmed")}));
}

// A file of torch.save: its structure, and the memory of its tensors.
std::string archive(const std::string& structure, const std::vector<std::pair<std::string, std::string>>& memory = {}) {
  std::vector<std::pair<std::string, std::string>> files = {{"m/data.pkl", structure}, {"m/version", "3\n"}};
  for (const auto& [key, bytes] : memory) files.emplace_back("m/data/" + key, bytes);
  return zip_bytes(files);
}
std::string of_archive(const std::string& key, const std::string& sizes, const std::string& strides, std::int32_t count,
                       const std::string& type = "FloatStorage", std::int32_t offset = 0) {
  return called(global("torch._utils", "_rebuild_tensor_v2"),
                {tuple({text("storage"), global("torch", type), text(key), text("cpu"), integer(count)}) + "Q",
                 integer(offset), sizes, strides, "\x89", called(global("collections", "OrderedDict"), {})});
}
// A DiT's first tensor, so that the file is taken for one.
std::string dit(const std::string& tensor_bytes, const std::string& more = "") {
  return "}(" + text("x_embedder.proj.weight") + tensor_bytes + more + "u";
}
std::string safetensors(const std::string& header, const std::string& data = "") {
  return little(header.size(), 8) + header + data;
}
// A snapshot of NVlabs/edm with these constructor arguments.
std::string edm(const std::string& arguments, const std::string& modules) {
  const std::string model =
      persistent("SongUNet", mapping({{"_init_args", ")"}, {"_init_kwargs", arguments}, {"_modules", modules}}));
  return pickle(mapping({{"ema", persistent("EDMPrecond", mapping({{"_modules", mapping({{"model", model}})},
                                                                   {"img_resolution", integer(32)},
                                                                   {"img_channels", integer(3)},
                                                                   {"label_dim", integer(0)},
                                                                   {"sigma_min", integer(0)},
                                                                   {"sigma_max", integer(1000)},
                                                                   {"sigma_data", integer(1)}}))}}));
}

std::vector<Hostile> code() {
  return {
      {"system.pkl", call("os", "system"), "'os.system'"},
      {"eval.pkl", call("builtins", "eval"), "'builtins.eval'"},
      {"exec.pt", archive(call("builtins", "exec")), "'builtins.exec'"},
      {"popen.pkl", pickle(global("subprocess", "Popen") + tuple({text("true")}) + "\x81"), "'subprocess.Popen'"},
      {"import.pkl", call("importlib", "import_module"), "'importlib.import_module'"},
      {"getattr.pkl", call("builtins", "getattr"), "'builtins.getattr'"},
      {"torch_load.pt", archive(call("torch", "load")), "'torch.load'"},
      {"script.pt", archive(call("torch.jit._serialization", "load")), "'torch.jit._serialization.load'"},
      {"stack_global.pkl", pickle(text("posix") + text("system") + "\x93" + tuple({text("true")}) + "R"),
       "'posix.system'"},
      {"module.pkl", pickle(global("torch.nn.modules.linear", "Linear") + ")\x81}b"),
       "'torch.nn.modules.linear.Linear'"},
      {"inst.pkl", pickle("(ios\nsystem\n"), "opcode 105"},
      {"obj.pkl", pickle("(" + global("os", "system") + text("true") + "o"), "opcode 111"},
      {"extension.pkl", pickle("\x82\x01"), "opcode"},
      {"terminal.pkl", call("os\x1b[2J\x1b]0;owned\x07", "x"), "\\x1b"},
      {"inside.pkl", pickle(loaded("\x80\x02" + global("os", "system") + tuple({text("true")}) + "R.")), "'os.system'"},
  };
}

std::vector<Hostile> circles() {
  return {
      {"itself.pkl", pickle("}\x94(" + text("ema") + std::string("h\0", 2) + "u"), "no model of a kind"},
      {"list_in_itself.pkl", pickle("]\x94" + std::string("h\0", 2) + "a"), "no model of a kind"},
      {"modules_without_end.pkl",
       edm("}", "}\x94(" + text("a") + persistent("Block", "}(" + text("_modules") + "h" + little(0, 1) + "u") + "u"),
       "without an end"},
      {"settings_without_end.pkl", edm("}(" + text("channel_mult") + "]\x94h" + little(0, 1) + "au", "}"), "setting"},
      {"files_in_files.pkl", pickle(loaded(pickle(loaded("\x80\x02N.")))), "damaged"},
      {"tower.pkl", pickle(repeated("]", 900'000) + repeated("a", 899'999)), "too many values on the stack"},
  };
}

std::vector<Hostile> giants() {
  const std::string half = mapping({{"model_channels", integer(4096)}, {"channel_mult", list({integer(64)})}});
  const std::string channels = mapping({{"model_channels", integer(0x7fffffff)}});
  std::string shared;
  for (int i = 0; i < 2000; ++i) shared += text("t" + std::to_string(i)) + "h" + little(0, 1);
  return {
      {"length.pkl", pickle("\x8e" + std::string(8, '\xff') + "abc"), "cut short"},
      {"text.pkl", pickle(std::string("X\xff\xff\xff\x7f", 5) + "abc"), "cut short"},
      {"values.pkl", pickle(repeated("N0", 1'100'000)), "more than 1000000 values"},
      {"stack.pkl", pickle(repeated("2", 3)), "opcode"},
      {"memory.pkl", pickle("N" + repeated("\x94", 4'000'000)), "too much to remember"},
      {"copies.pkl",
       pickle("](" + repeated("N", 90'000) + "e\x94" + "0" +
              repeated(global("torch", "Size") + "h" + little(0, 1) + "\x85R0", 20'000)),
       "before a value"},
      {"names.pkl",
       pickle(text(std::string(1'000'000, 'a')) + "\x94" +
              repeated("h" + little(0, 1) + "h" + little(0, 1) + "\x93" + "0", 60)),
       "bytes of names"},
      {"storage.pt",
       archive(pickle(dit(of_archive("0", tuple({"K\x01"}), tuple({"K\x01"}), 0x7fffffff))), {{"0", "1234"}}),
       "should have 8589934588"},
      {"tensor.pt",
       archive(pickle(dit(of_archive("0", tuple({integer(0x7fffffff)}), tuple({std::string("K\0", 2)}), 1))),
               {{"0", "1234"}}),
       "reaches out"},
      {"overflow.pt",
       archive(pickle(dit(of_archive("0", tuple({integer(0x7fffffff), integer(0x7fffffff), integer(0x7fffffff)}),
                                     tuple({std::string("K\0", 2), std::string("K\0", 2), std::string("K\0", 2)}), 1))),
               {{"0", "1234"}}),
       "reaches out"},
      {"nothing_to_take.pt", archive(pickle("0")), "missing"},
      {"shared_memory.pkl", pickle(tensor({1000}) + "\x94" + "0" + dit("h" + little(0, 1), shared)), "share memory"},
      {"channels.pkl", edm(channels, "}"), "channels"},
      {"network.pkl", edm(half, "}"), "far larger than its weights"},
      {"header.safetensors", little(std::uint64_t{1} << 62, 8) + "{}", "header"},
  };
}

std::vector<Hostile> lies() {
  const auto one = [](const std::string& tensor) { return archive(pickle(dit(tensor)), {{"0", "12345678"}}); };
  const auto shape = [](std::int32_t size, std::int32_t stride) {
    return std::pair(tuple({integer(size)}), tuple({integer(stride)}));
  };
  const auto [past, step] = shape(3, 1);
  const auto [two, back] = shape(2, -1);
  return {
      {"past_its_memory.pt", one(of_archive("0", past, step, 2)), "reaches out"},
      {"before_its_memory.pt", one(of_archive("0", tuple({"K\x01"}), tuple({"K\x01"}), 2, "FloatStorage", -1)),
       "reaches out"},
      {"backwards.pt", one(of_archive("0", two, back, 2)), "reaches out"},
      {"no_memory.pt", one(of_archive("1", two, step, 2)), "is missing"},
      {"leads_out.pt", one(of_archive("../../etc/passwd", two, step, 2)), "is missing"},
      {"unknown_type.pt", one(of_archive("0", two, step, 2, "ComplexFloatStorage")), "ComplexFloatStorage"},
      {"negative_count.pt", one(of_archive("0", two, step, -2)), "elements"},
      {"shape_of_text.pt", one(of_archive("0", tuple({text("3")}), step, 2)), "without a shape"},
      {"dimensions.pt",
       one(of_archive("0", tuple(std::vector<std::string>(40, "K\x01")), tuple(std::vector<std::string>(40, "K\x01")),
                      2)),
       "without a shape"},
      {"cut.pt", one(of_archive("0", two, step, 2)).substr(0, 300), "zip"},
      {"cut.pkl", pickle(tensor({4})).substr(0, 150), "cut short"},
      {"no_structure.pt", zip_bytes({{"a.txt", "hello"}}), "no data.pkl"},
      {"offsets.safetensors", safetensors(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,800]}})", "12345678"),
       "a"},
      {"overlap.safetensors",
       safetensors(
           R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})",
           "123456781234"),
       "overlap"},
      {"sizes.safetensors",
       safetensors(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}})", "12345678"), "a"},
      {"negative.safetensors", safetensors(R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", "12345678"),
       "a"},
      {"nested.safetensors", safetensors(repeated("[", 100'000)), "neither a pickle"},
  };
}

std::vector<Hostile> wrong_kinds() {
  const std::string floats = tensor({2, 2});
  return {
      {"number.pkl", pickle("K\x01"), "no model of a kind"},
      {"text.pt", archive(pickle(text("x_embedder.proj.weight"))), "no model of kind dit"},
      {"empty.pt", "", "neither a pickle"},
      {"picture.pt", "\x89PNG\r\n\x1a\n", "neither a pickle"},
      {"program.pt",
       "\x7f"
       "ELF",
       "neither a pickle"},
      {"matrix_as_kernel.pkl", pickle(dit(floats)), "dimensions"},
      {"text_as_tensor.pkl", pickle(dit(floats, text("pos_embed") + text("none"))), "is no tensor"},
      {"number_as_name.pkl", pickle(dit(floats, "K\x01" + floats)), "without a name"},
      {"list_as_settings.pkl", edm("]", "}"), ""},
      {"text_as_size.pkl", edm(mapping({{"model_channels", text("many")}}), "}"), "channels"},
      {"unknown_setting.pkl", edm(mapping({{"code", text("x")}}), "}"), "'code'"},
      {"nan.safetensors", safetensors(R"({"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,8]}})", "12345678"),
       "header"},
      {"dtype.safetensors", safetensors(R"({"a":{"dtype":"PYTHON","shape":[1],"data_offsets":[0,8]}})", "12345678"),
       "PYTHON"},
  };
}

// Folders of huggingface/diffusers.
std::vector<Hostile> settings() {
  const auto unet = [](const std::string& more) {
    return R"({"_class_name": "UNet2DModel", "sample_size": 8, )" + more + "}";
  };
  return {
      {"no_text/", std::string(1000, '\xff'), ""},
      {"nested/", repeated("[", 200'000), ""},
      {"nested_names/", repeated("{\"a\":", 200'000), ""},
      {"number/", "7", ""},
      {"class/", R"({"_class_name": "os.system", "sample_size": 8})", ""},
      {"channels/", unet(R"("block_out_channels": [2147483648, 9223372036854775807])"), ""},
      {"layers/", unet(R"("layers_per_block": 1000000000, "block_out_channels": [32])"), ""},
      {"blocks/", unet(R"("block_out_channels": [)" + repeated("32,", 100'000) + "32]"), ""},
      {"size/", R"({"_class_name": "UNet2DModel", "sample_size": -1e300})", ""},
      {"texts/", unet(R"("block_out_channels": "many", "layers_per_block": {"a": []})"), ""},
  };
}

// Beside the tensors of no network, and an index that leads out.
void write(const Hostile& hostile, const std::filesystem::path& folder) {
  if (!hostile.name.ends_with('/')) return write_text(folder / hostile.name, hostile.bytes);
  create_directories(folder / hostile.name);
  write_text(folder / hostile.name / "config.json", hostile.bytes);
  write_text(folder / hostile.name / "diffusion_pytorch_model.safetensors.index.json",
             R"({"weight_map": {"conv_in.weight": "../../../etc/passwd"}})");
}

void check(const Hostile& hostile, const std::string& command, const TemporaryFolder& folder) {
  const Measured found = check_refused(folder.path(), command, hostile.says, 1.0);
  INFO(found.outcome.output);
  CHECK(found.outcome.output.size() < 600);
}

}  // namespace

TEST_CASE("hostile files of models are one clear line, fast and in little memory", "[app]") {
  const TemporaryFolder folder;
  std::size_t count = 0;
  for (const auto& kind : {code(), circles(), giants(), lies(), wrong_kinds(), settings()})
    for (const auto& hostile : kind) {
      write(hostile, folder.path());
      check(hostile,
            "convert " + hostile.name + " out --quiet" +
                (hostile.bytes.find("x_embedder") != std::string::npos ? " --from dit" : ""),
            folder);
      ++count;
    }
  CHECK(count >= 60);
  CHECK_FALSE(std::filesystem::exists(folder.path() / "out"));
  CHECK_FALSE(std::filesystem::exists(folder.path() / "harmed"));
}

}  // namespace edmund::testing
