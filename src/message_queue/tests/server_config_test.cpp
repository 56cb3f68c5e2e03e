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
  settings.trust = LocalTrust().trust().value();
  return settings;
}

TEST(ServerConfig, BelievesTheOperatorAndItsAccounts) {
  const auto settings = good_settings();
  const auto config = make_server_config(settings, "name").value();
  EXPECT_THAT(config, HasSubstr("host: \"127.0.0.1\"\nport: 4222\n"));
  EXPECT_THAT(config, HasSubstr("operator: " + settings.trust.operator_jwt + "\nresolver: MEMORY\n"));
  for (const auto& [key, jwt] : settings.trust.accounts) EXPECT_THAT(config, HasSubstr("  " + key + ": " + jwt + "\n"));
  EXPECT_THAT(config, Not(HasSubstr("password")));
}

TEST(ServerConfig, ListensElsewhereThanOnLoopbackWithTlsOnly) {
  auto settings = good_settings();
  EXPECT_THAT(make_server_config(settings, "name").value(), Not(HasSubstr("tls")));
  for (const std::string host : {"0.0.0.0", "192.0.2.1"}) {
    settings.host = host;
    settings.tls.reset();
    EXPECT_THAT(make_server_config(settings, "name").error().message(), HasSubstr(host + " without TLS"));
    settings.tls.emplace();
    const auto config = make_server_config(settings, "name").value();
    EXPECT_THAT(config, HasSubstr("host: \"" + host + "\""));
    EXPECT_THAT(config, HasSubstr("cert_file: \"state/tls-certificate.pem\""));
  }
  for (const std::string host : {"", "localhost", "::1", "1.2.3.4\"\nport: 1"}) {
    settings.host = host;
    EXPECT_EQ(make_server_config(settings, "name").error().code(), Code::kInvalidArgument) << host;
  }
}

TEST(ServerConfig, RefusesAnOpenServerAndTrustOutsideTheGrammar) {
  auto settings = good_settings();
  settings.trust = {};
  EXPECT_EQ(make_server_config(settings, "name").error().code(), Code::kInvalidArgument);
  settings = good_settings();
  settings.port = 0;
  EXPECT_EQ(make_server_config(settings, "name").error().code(), Code::kInvalidArgument);
  settings = good_settings();
  settings.trust.operator_jwt += "\nport: 1";
  EXPECT_EQ(make_server_config(settings, "name").error().code(), Code::kInvalidArgument);
  settings = good_settings();
  settings.trust.accounts.begin()->second += "}";
  EXPECT_FALSE(make_server_config(settings, "name"));
  settings = good_settings();
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
