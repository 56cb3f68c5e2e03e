#include "message_queue/server_config.hpp"

#include "message_queue/local_trust.hpp"

#include <gmock/gmock.h>

namespace tcfdl::message_queue {
namespace {

using testing::HasSubstr;
using testing::Not;

ServerSettings good_settings() {
  ServerSettings settings;
  settings.state_directory = "state";
  settings.port = 4222;
  settings.users = {{"worker", "secret", {"tasks.>"}, {"_INBOX.worker.>"}}, {"master", "other", {}, {}}};
  return settings;
}

TEST(ServerConfig, ListensOnLoopbackWithTheUsersPermissions) {
  const auto config = make_server_config(good_settings(), "name").value();
  EXPECT_THAT(config, HasSubstr("host: \"127.0.0.1\"\nport: 4222\n"));
  EXPECT_THAT(config,
              HasSubstr("user: \"worker\", password: \"secret\", permissions: { publish: { allow: [\"tasks.>\"]"));
  EXPECT_THAT(config, HasSubstr("subscribe: { allow: [\"_INBOX.worker.>\"] }"));
}

TEST(ServerConfig, KeepsEveryUserFromAdministeringJetStream) {
  auto settings = good_settings();
  for (const auto& user : settings.users) {
    auto alone = settings;
    alone.users = {user};
    EXPECT_THAT(make_server_config(alone, "name").value(), HasSubstr("\"$JS.API.SERVER.>\"")) << user.name;
  }
}

TEST(ServerConfig, RefusesAnOpenServerAndCredentialsOutsideTheGrammar) {
  auto settings = good_settings();
  settings.users.clear();
  EXPECT_EQ(make_server_config(settings, "name").error().code(), Code::kInvalidArgument);
  for (const auto* bad : {"", "a\"b", "$2a$11$hash", "a b", "a}"}) {
    settings = good_settings();
    settings.users[0].password = bad;
    EXPECT_FALSE(make_server_config(settings, "name")) << bad;
    settings = good_settings();
    settings.users[0].name = bad;
    EXPECT_FALSE(make_server_config(settings, "name")) << bad;
  }
  settings = good_settings();
  settings.users[0].publish = {"a\"]"};
  EXPECT_FALSE(make_server_config(settings, "name"));
  settings = good_settings();
  settings.users[1].name = "worker";
  EXPECT_FALSE(make_server_config(settings, "name"));
}

ServerSettings operated_settings() {
  auto settings = good_settings();
  settings.users.clear();
  settings.trust = LocalTrust().trust().value();
  return settings;
}

TEST(ServerConfig, BelievesTheOperatorAndItsAccounts) {
  const auto settings = operated_settings();
  const auto config = make_server_config(settings, "name").value();
  EXPECT_THAT(config, HasSubstr("operator: " + settings.trust.operator_jwt + "\nresolver: MEMORY\n"));
  for (const auto& [key, jwt] : settings.trust.accounts) EXPECT_THAT(config, HasSubstr("  " + key + ": " + jwt + "\n"));
  EXPECT_THAT(config, Not(HasSubstr("password")));
}

TEST(ServerConfig, RefusesTrustOutsideTheGrammar) {
  auto settings = operated_settings();
  settings.trust.operator_jwt += "\nport: 1";
  EXPECT_EQ(make_server_config(settings, "name").error().code(), Code::kInvalidArgument);
  settings = operated_settings();
  settings.trust.accounts.begin()->second += "}";
  EXPECT_FALSE(make_server_config(settings, "name"));
  settings = operated_settings();
  settings.trust.accounts["not-a-key"] = "a.b.c";
  EXPECT_FALSE(make_server_config(settings, "name"));
}

TEST(ServerConfig, QuotesPaths) {
  auto settings = good_settings();
  settings.state_directory = "a\"b";
  EXPECT_THAT(make_server_config(settings, "name").value(), HasSubstr("store_dir: \"a\\\"b/jetstream\""));
  settings.state_directory = "a\nb";
  EXPECT_FALSE(make_server_config(settings, "name"));
}

} // namespace
} // namespace tcfdl::message_queue
