// What lies in a folder beside plain images: links, pipes, hidden files, split folders, names.

#include "data/helpers.h"
#include "edmund/core/files.h"
#include "edmund/core/log.h"
#include "edmund/io/image_io.h"
#include "support/catch.h"

#include <ATen/ATen.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

using namespace edmund;
using namespace edmund::testing;
namespace fs = std::filesystem;

namespace {

// Four images of the classes cat and dog in the folder `data`.
struct Pets {
  TemporaryFolder folder;
  fs::path data = folder.path() / "data";

  Pets() {
    for (const char* name : {"cat/0.png", "cat/1.png", "dog/0.png", "dog/1.png"}) add(std::string("data/") + name);
  }
  void add(const std::string& name) const { folder.write(name, png_bytes(picture(3, 4, 4, number_++))); }
  void link(const fs::path& target, const std::string& name) const { fs::create_symlink(target, data / name); }
  std::string config(const std::string& type = "folder") const {
    return format("{type: {}, root: {}}", type, data.string());
  }
  DatasetInfo info() const { return dataset_of(config())->info(); }
  std::string refusal() const {
    const std::string message = error_of([&] { dataset_of(config()); });
    CHECK_FALSE(contains(message, "\n"));
    return message;
  }

 private:
  mutable std::int64_t number_ = 0;
};

// What is logged while `act` runs.
template <typename Act>
std::string logged(const TemporaryFolder& folder, const Act& act) {
  log::to_file(folder.path() / "log.txt");
  act();
  log::to_file("/dev/null");
  return read_file(folder.path() / "log.txt");
}

}  // namespace

TEST_CASE("a link to a folder above it ends the walk, and is told", "[data]") {
  const Pets pets;
  const std::string target = GENERATE(as<std::string>{}, ".", "..", "../data", "cat/..");
  const std::string name = GENERATE("loop", "cat/loop");
  if (name == "cat/loop" && target != ".." && target != ".") return;
  pets.link(target, name);
  INFO(name << " -> " << target);
  if (target == ".." && name == "loop") pets.folder.write("beside.txt", "left out");
  const std::string text = logged(pets.folder, [&] {
    CHECK(pets.info().size == 4);
    CHECK(pets.info().class_names == std::vector<std::string>{"cat", "dog"});
  });
  CHECK(contains(text, (pets.data / name).string() + ": a link to a folder above it"));
  CHECK(dataset_of(pets.config("edm-zip"))->info().size == 4);
}

TEST_CASE("folders that links lead to twice are refused, whatever order they are met in", "[data]") {
  const Pets pets;
  const std::string name = GENERATE("a-link", "z-link");
  SECTION("a link to a folder that is read under its own name") {
    pets.link("cat", name);
    CHECK(contains(pets.refusal(), (pets.data / name).string() + ": a link to " + (pets.data / "cat").string()));
  }
  SECTION("two links to one folder elsewhere") {
    pets.add("elsewhere/0.png");
    pets.link(pets.folder.path() / "elsewhere", name);
    pets.link(pets.folder.path() / "elsewhere", "dog/again");
    CHECK(contains(pets.refusal(), "would count twice"));
  }
  SECTION("two folders that lead into each other") {
    pets.link("../dog", "cat/" + name);
    pets.link("../cat", "dog/" + name);
    CHECK(contains(pets.refusal(), name));
  }
}

TEST_CASE("links to a folder or a file elsewhere are followed", "[data]") {
  const Pets pets;
  pets.add("elsewhere/0.png");
  pets.link(pets.folder.path() / "elsewhere", "bird");
  pets.link(pets.folder.path() / "elsewhere/0.png", "cat/2.png");
  CHECK(pets.info().class_names == std::vector<std::string>{"bird", "cat", "dog"});
  CHECK(pets.info().size == 6);
  pets.link("nothing", "cat/broken.png");
  CHECK(
      contains(pets.refusal(), (pets.data / "cat/broken.png").string() + ": the file cannot be opened: No such file"));
}

TEST_CASE("pipes, sockets and devices under the names of images are left out, never opened", "[data]") {
  const Pets pets;
  const std::string type = GENERATE("folder", "edm-zip");
  REQUIRE(::mkfifo((pets.data / "cat/pipe.png").c_str(), 0600) == 0);
  pets.link("/dev/zero", "cat/device.jpg");
  const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  const std::string path = (pets.data / "dog/socket.png").string();
  REQUIRE(path.size() < sizeof address.sun_path);
  path.copy(address.sun_path, path.size());
  REQUIRE(::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  const std::string text = logged(pets.folder, [&] { CHECK(dataset_of(pets.config(type))->info().size == 4); });
  CHECK(contains(text, "3 pipes, sockets or devices are left out"));
  ::close(socket);
}

TEST_CASE("hidden files and what systems put beside images are left out", "[data]") {
  const Pets pets;
  const std::string type = GENERATE("folder", "edm-zip");
  for (const char* name : {"data/.DS_Store", "data/cat/.DS_Store", "data/__MACOSX/cat/._0.png", "data/cat/._0.png",
                           "data/.git/x.png", "data/__MACOSX/y.png"})
    pets.folder.write(name, "no image");
  CHECK(dataset_of(pets.config(type))->info().size == 4);
}

TEST_CASE("parts of a data set are not taken for classes", "[data]") {
  const TemporaryFolder folder;
  const auto names =
      GENERATE(std::vector<std::string>{"train", "test"}, std::vector<std::string>{"train", "val"},
               std::vector<std::string>{"train"}, std::vector<std::string>{"Train", "Validation"},
               std::vector<std::string>{"train2017", "val2017"}, std::vector<std::string>{"test_images", "training"});
  const std::string deeper = GENERATE("", "cat/");
  for (const auto& name : names) folder.write(name + "/" + deeper + "0.png", png_bytes(picture(3, 4, 4)));
  const std::string root = folder.path().string();
  const std::string message = error_of([&] { dataset_of(format("{type: folder, root: {}}", root)); });
  INFO(message);
  CHECK(contains(message, root + ": its sub-folders ("));
  CHECK(contains(message, "parts of a data set, not classes; name one of them: `root: " + root + "/"));
  CHECK_FALSE(contains(message, "\n"));
  const auto part = dataset_of(format("{type: folder, root: {}}", folder / names[0]));
  CHECK(part->info().num_classes == (deeper.empty() ? 0 : 1));
}

TEST_CASE("classes may be called like parts where others are not", "[data]") {
  const TemporaryFolder folder;
  for (const char* name : {"train/0.png", "plane/0.png", "trainer/0.png"})
    folder.write(name, png_bytes(picture(3, 4, 4)));
  CHECK(dataset_of(format("{type: folder, root: {}}", folder.path().string()))->info().num_classes == 3);
}

TEST_CASE("one folder above the class folders is told", "[data]") {
  const Pets pets;
  const std::string config = format("{type: folder, root: {}}", pets.folder.path().string());
  const std::string text = logged(pets.folder, [&] { CHECK(dataset_of(config)->info().num_classes == 1); });
  CHECK(contains(text, "use `root: " + pets.data.string() + "`"));
}

TEST_CASE("names of classes that are not UTF-8 are refused before anything is read", "[data]") {
  const Pets pets;
  pets.add(
      "data/gr\xf6\xdf"
      "e/0.png");
  CHECK(contains(pets.refusal(), "the name of the class folder 'gr\\xf6\\xdfe' is not UTF-8; rename it"));
  fs::remove_all(pets.data /
                 "gr\xf6\xdf"
                 "e");
  pets.add("data/größe/0.png");
  CHECK(pets.info().class_names.back() == "größe");
}

TEST_CASE("folders and files that cannot be read are named", "[data]") {
  if (::geteuid() == 0) return;  // root reads everything
  const Pets pets;
  fs::permissions(pets.data / "dog", fs::perms::none);
  CHECK(contains(pets.refusal(), (pets.data / "dog").string() + ": the folder cannot be read: Permission denied"));
  fs::permissions(pets.data / "dog", fs::perms::owner_all);
  fs::permissions(pets.data / "dog/1.png", fs::perms::none);
  CHECK(
      contains(pets.refusal(), (pets.data / "dog/1.png").string() + ": the file cannot be opened: Permission denied"));
}

TEST_CASE("a folder of archives alone, and an archive read as a folder, say what to do", "[data]") {
  const TemporaryFolder folder;
  folder.write("set/all.tar.gz", "no image");
  for (const char* type : {"folder", "edm-zip"})
    CHECK(contains(error_of([&] { dataset_of(format("{type: {}, root: {}}", type, folder / "set")); }),
                   "there are no PNG, JPEG or WebP images, but an archive, 'all.tar.gz'; unpack it first"));
  const auto zip = folder.write("set.zip", zip_bytes(folder, {{"0.png", png_bytes(picture(3, 4, 4))}}));
  CHECK(contains(error_of([&] { dataset_of(format("{type: folder, root: {}}", zip)); }),
                 "not a folder; `type: edm-zip` reads zip archives"));
}
