#include "node/entrance.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace tcfdl::node {
namespace {

NodeEntrance entrance() {
  return {.cluster = "west",
          .host = "127.0.0.1",
          .port = 4222,
          .seed = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY",
          .jwt = "a.b.c",
          .tasks = "tcp:127.0.0.1:1",
          .tasks_token = "token"};
}

std::string refusal(const nlohmann::json& json) {
  const auto text = json.dump();
  const auto read = NodeEntrance::from_json(as_bytes(text));
  return read ? "admitted" : read.error().message();
}

TEST(NodeEntrance, ComesBackFromItsText) {
  const auto read = NodeEntrance::from_json(entrance().to_json());
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ(read->to_json(), entrance().to_json());
  EXPECT_EQ(read->port, 4222);
  EXPECT_EQ(read->tasks_token, "token");
}

TEST(NodeEntrance, NamesTheFieldThatIsMissingOrWrong) {
  const auto good = nlohmann::json::parse(entrance().to_json());
  for (const auto& [key, value] : good.items()) {
    auto json = good;
    json.erase(key);
    EXPECT_THAT(refusal(json), testing::HasSubstr("'" + key + "'"));
    json[key] = nullptr;
    EXPECT_THAT(refusal(json), testing::HasSubstr("'" + key + "'"));
  }
  for (const auto& port :
       {nlohmann::json(0), nlohmann::json(65536), nlohmann::json(-1), nlohmann::json("4222"), nlohmann::json(1.5)}) {
    auto json = good;
    json["port"] = port;
    EXPECT_THAT(refusal(json), testing::HasSubstr("'port'")) << port;
  }
  auto json = good;
  json["cluster"] = "../west";
  EXPECT_THAT(refusal(json), testing::HasSubstr("cluster"));
}

TEST(NodeEntrance, RefusesWhatIsNoObject) {
  for (const std::string_view text : {"", "[]", "{", "7", "\xff"}) {
    EXPECT_EQ(NodeEntrance::from_json(as_bytes(text)).error().code(), Code::kInvalidArgument) << text;
  }
}

TEST(NodeEntrance, GivesEachUserAnInboxOfItsOwn) {
  const auto settings = entrance().bus("worker-1", nullptr);
  EXPECT_EQ(settings.name, "worker-1");
  EXPECT_EQ(settings.port, 4222);
  EXPECT_EQ(settings.inbox_prefix, "_INBOX_worker-1");
  const auto enrolling = entrance().enrolling_bus().value();
  EXPECT_EQ(enrolling.credential->jwt(), "a.b.c");
  EXPECT_EQ(enrolling.inbox_prefix, "_INBOX_UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4");
  auto bad = entrance();
  bad.seed = "secret";
  EXPECT_EQ(bad.enrolling_bus().error().code(), Code::kInvalidArgument);
}

} // namespace
} // namespace tcfdl::node
