#include "edmund/core/parsed_json.h"

#include "support/catch.h"

#include <nlohmann/json.hpp>
#include <string>

using namespace edmund;
using nlohmann::json;

TEST_CASE("JSON is read as deep as files are, and no deeper", "[core]") {
  const auto nested = [](int levels) {
    return std::string(static_cast<std::size_t>(levels), '[') + std::string(static_cast<std::size_t>(levels), ']');
  };
  CHECK(parsed_json<json>(nested(128)).is_array());
  CHECK(parsed_json<json>(nested(129)).is_discarded());
  CHECK(parsed_json<json>(nested(200'000)).is_discarded());
  CHECK(parsed_json<json>(std::string(200'000, '{')).is_discarded());
  // brackets of strings are none
  const std::string text = R"({"a": ")" + std::string(500, '[') + R"(\"]\\", "b": [1, 2]})";
  CHECK(parsed_json<json>(text)["b"].size() == 2);
  CHECK(parsed_json<json>("[1, 2").is_discarded());
  CHECK(parsed_json<json>("").is_discarded());
}

TEST_CASE("a member that is not there is null", "[core]") {
  const json value = {{"a", 1}};
  CHECK(member(value, "a") == 1);
  CHECK(member(value, "b").is_null());
  CHECK(member(json(3), "a").is_null());
}

TEST_CASE("bytes behind the end of a JSON text are refused, a NUL before them too", "[core]") {
  CHECK(parsed_json<json>("{} \n").is_object());
  for (const std::string& more : {std::string("x"), std::string(1, '\0'), std::string("\0{", 2), std::string("{}")})
    CHECK(parsed_json<json>("{}" + more).is_discarded());
}
