#include "edmund/core/sealed_json.h"

#include "edmund/core/parsed_json.h"
#include "support/catch.h"

#include <nlohmann/json.hpp>

namespace edmund {

using nlohmann::ordered_json;

TEST_CASE("no bit of a sealed object changes, and no byte is lost, without being found", "[core]") {
  const ordered_json object = {{"name", "heun"}, {"value", 0.25}, {"scores", {{{"images", 64}, {"error", nullptr}}}}};
  const std::string text = json_text(sealed(object), 1);
  CHECK(is_whole(parsed_json<ordered_json>(text)));
  CHECK(sealed(sealed(object)) == sealed(object));
  std::size_t found = 0;
  for (std::size_t at = 0; at < text.size(); ++at)
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = text;
      changed[at] = static_cast<char>(changed[at] ^ (1 << bit));
      const bool whole = is_whole(parsed_json<ordered_json>(changed));
      INFO(changed);
      CHECK_FALSE(whole);
      found += whole ? 0 : 1;
    }
  CHECK(found >= 1000);
  for (std::size_t size = 0; size < text.size(); ++size)
    CHECK_FALSE(is_whole(parsed_json<ordered_json>(text.substr(0, size))));
  CHECK_FALSE(is_whole(parsed_json<ordered_json>(text + "}")));
}

TEST_CASE("an object that was never sealed is whole, other values are not", "[core]") {
  CHECK(is_whole(ordered_json{{"weights", "0123456789abcdef"}, {"value", 1}}));
  CHECK(is_whole(ordered_json{{"value", 1}, {"name", "0123456789abcdeF"}}));
  for (const char* text : {"[]", "{}", "3", "null", "{", R"({"value": 1, "checksun": "0123456789abcdef"})"})
    CHECK_FALSE(is_whole(parsed_json<ordered_json>(text)));
}

}  // namespace edmund
