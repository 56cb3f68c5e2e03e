#include "node/entrance.hpp"

#include "crypto/hash.hpp"
#include "crypto/tls_certificate.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace tcfdl::node {
namespace {

const crypto::SigningKey& authority() {
  static const auto key = crypto::SigningKey::generate();
  return key;
}

Bytes root_of(const crypto::SigningKey& key) {
  const auto now = SystemClock().now();
  return crypto::make_tls_root(key, "tcfdl.internal", {now - 1000, now + 1000}).der();
}

NodeEntrance entrance() {
  return {.cluster = "west",
          .host = "127.0.0.1",
          .port = 4222,
          .seed = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY",
          .jwt = "a.b.c",
          .tasks = "tcp:127.0.0.1:1",
          .tasks_token = "token",
          .root = root_of(authority()),
          .server_name = "west.cluster.tcfdl.internal"};
}

std::string refusal(const nlohmann::json& json) {
  const auto text = json.dump();
  const auto read = NodeEntrance::from_json(as_bytes(text));
  return read ? "admitted" : read.error().message();
}

TEST(NodeEntrance, ComesBackFromItsText) {
  const auto made = entrance();
  const auto read = NodeEntrance::from_json(made.to_json());
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ(read->to_json(), made.to_json());
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

TEST(NodeEntrance, BelievesARootOfTheTokensAuthorityOnly) {
  const auto hash = crypto::sha256(authority().public_key().bytes());
  auto believed = entrance();
  EXPECT_TRUE(believed.check_root(hash));
  believed.root = root_of(crypto::SigningKey::generate());
  EXPECT_EQ(believed.check_root(hash).error().code(), Code::kUnauthenticated);
}

TEST(NodeEntrance, ConnectsByTlsAndKnowsWhomTo) {
  const auto settings = entrance().bus("worker-1", nullptr);
  ASSERT_TRUE(settings.tls);
  EXPECT_EQ(settings.tls->server_name, "west.cluster.tcfdl.internal");
  EXPECT_THAT(settings.tls->root_pem, testing::StartsWith("-----BEGIN CERTIFICATE-----"));
  auto json = nlohmann::json::parse(entrance().to_json());
  json["root"] = "AAAA";
  EXPECT_THAT(refusal(json), testing::HasSubstr("'root' is no certificate"));
  json = nlohmann::json::parse(entrance().to_json());
  json["server_name"] = "a name";
  EXPECT_THAT(refusal(json), testing::HasSubstr("'server_name'"));
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
