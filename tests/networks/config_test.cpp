#include "edmund/core/error.h"
#include "edmund/networks/network.h"
#include "support/catch.h"

#include <string>

using namespace edmund;

namespace {

constexpr NetworkContext kDigits{.image = {.channels = 1, .height = 8, .width = 8}, .num_classes = 10};

std::string error_of(const std::string& yaml, const NetworkContext& context = kDigits) {
  Options options = Options::read_text(yaml, "net.yaml");
  const auto network = make_network(options, context);
  REQUIRE(network != nullptr);
  try {
    options.finish();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

bool says(const std::string& message, const std::string& part) {
  UNSCOPED_INFO("said: " << message);
  return message.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("Wrong network options are named with their reason", "[networks]") {
  CHECK(error_of("{channels: 16, multipliers: [1, 2]}").empty());
  CHECK(says(error_of("{type: unett}"), "unet"));
  CHECK(says(error_of("{chanels: 16}"), "channels"));
  CHECK(says(error_of("{multipliers: [1, 1, 1, 1, 1]}"), "images of 8×8 cannot be halved 4 times"));
  CHECK(says(error_of("{multipliers: []}"), "multipliers"));
  CHECK(says(error_of("{channels: 130, multipliers: [1]}"), "130 channels, which do not split"));
  CHECK(says(error_of("{channels: 7, multipliers: [1]}"), "channels"));
  CHECK(says(error_of("{channels: 16, resample_filter: [1, 2, 1]}"), "an even number of taps expected, found 3"));
  CHECK(says(error_of("{channels: 16, resample_filter: [1, -1]}"), "sum to zero"));
  CHECK(says(error_of("{channels: 16, dropout: 1}"), "dropout"));
  CHECK(says(error_of("{channels: 16, encoder: residul}"), "residual"));
  CHECK(says(error_of("{channels: 16}", {.image = {.channels = 3, .height = 8, .width = 16}}),
             "square images only, the data's are 8×16"));
}

TEST_CASE("Several wrong options are reported together", "[networks]") {
  const auto message = error_of("{type: ncsnpp, channels: -1, blocks: 0, embedding: sine}");
  CHECK(says(message, "channels"));
  CHECK(says(message, "blocks"));
  CHECK(says(message, "embedding"));
}

TEST_CASE("A network has a place for augment labels, or refuses them by name", "[networks]") {
  for (const auto& entry : network_table()) {
    if (entry.small.empty()) continue;
    Options options = Options::read_text(std::string(entry.small), "net.yaml"),
            told = Options::read_text(std::string(entry.small), "net.yaml");
    for (Options* each : {&options, &told}) each->set("type", std::string(entry.name), "net.yaml");
    NetworkContext context = kDigits;
    const auto count = [](const Network& network) {
      std::int64_t out = 0;
      for (const auto& parameter : network.parameters()) out += parameter.numel();
      return out;
    };
    const std::int64_t without = count(*make_network(options, context));
    context.augment_labels = 9;
    const auto network = make_network(told, context);
    std::string message;
    try {
      told.finish();
    } catch (const Error& error) {
      message = error.what();
    }
    INFO(entry.name);
    if (message.empty())
      CHECK(count(*network) > without);
    else
      CHECK(says(message, std::string(entry.name) + " has no place for augment labels"));
  }
}
