#include "message_queue/nats_jwt.hpp"

#include "base/encoding.hpp"

#include <gmock/gmock.h>

namespace tcfdl::message_queue {
namespace {

using testing::HasSubstr;
using testing::Not;

Nkey key(NkeyKind kind, std::uint8_t fill) {
  crypto::Ed25519Seed seed;
  std::ranges::fill(seed.span(), fill);
  return Nkey::from_seed(kind, std::move(seed));
}

const Nkey& account() {
  static const Nkey kKey = key(NkeyKind::kAccount, 1);
  return kKey;
}

UserClaims user() {
  return {.name = "n",
          .user = key(NkeyKind::kUser, 2).public_text(),
          .account = account().public_text(),
          .permissions = {.publish = {"a.>"}, .subscribe = {"b"}, .deny_publish = {"a.b"}},
          .expires = 2000};
}

std::string part(const std::string& jwt, int which) {
  auto rest = std::string_view(jwt);
  for (int i = 0; i < which; ++i) rest.remove_prefix(rest.find('.') + 1);
  return std::string(as_text(from_base64url(rest.substr(0, rest.find('.'))).value()));
}

TEST(NatsJwt, IsSignedByItsIssuer) {
  const auto jwt = sign_user(account(), user(), 1000).value();
  EXPECT_EQ(part(jwt, 0), R"({"typ":"JWT","alg":"ed25519-nkey"})");
  const auto dot = jwt.rfind('.');
  EXPECT_TRUE(crypto::verify_ed25519(parse_public_nkey(account().public_text(), NkeyKind::kAccount).value(),
                                     as_bytes(jwt.substr(0, dot)), from_base64url(jwt.substr(dot + 1)).value()));
  EXPECT_TRUE(check_jwt_form(jwt));
}

TEST(NatsJwt, HasTheIdThatTheReferenceImplementationGives) {
  // Computed apart from this code: base32(SHA-512/256({"exp":2000,"iat":1000,"iss":…,"name":"n","sub":…})).
  EXPECT_THAT(part(sign_user(account(), user(), 1000).value(), 1),
              HasSubstr("\"jti\":\"6VK3GYZNDIIEIFQRYK5XKIVPXHZOJES32KOZRDZZOZSGJXLJUUOA\""));
}

TEST(NatsJwt, GrantsNothingThatIsNotListed) {
  const auto some = part(sign_user(account(), user(), 1000).value(), 1);
  EXPECT_THAT(some, HasSubstr(R"("pub":{"allow":["a.>"],"deny":["a.b","$JS.API.ACCOUNT.PURGE.>")"));
  EXPECT_THAT(some, HasSubstr(R"("sub":{"allow":["b"],"deny":["$SYS.>"]})"));
  EXPECT_THAT(some, Not(HasSubstr("resp")));
  auto claims = user();
  claims.permissions = {.answers = true};
  const auto none = part(sign_user(account(), claims, 1000).value(), 1);
  EXPECT_THAT(none, HasSubstr(R"("pub":{"deny":[">"]},"sub":{"deny":[">"]},"resp":{"max":1,)"));
}

TEST(NatsJwt, NamesTheAccountWhereASigningKeySigns) {
  EXPECT_THAT(part(sign_user(account(), user(), 1000).value(), 1), Not(HasSubstr("issuer_account")));
  const auto delegated = key(NkeyKind::kAccount, 3);
  EXPECT_THAT(part(sign_user(delegated, user(), 1000).value(), 1),
              HasSubstr(R"("issuer_account":")" + account().public_text()));
}

TEST(NatsJwt, TellsAccountsLimitsKeysAndRevocations) {
  const auto boss = key(NkeyKind::kOperator, 4);
  AccountClaims claims{.name = "cluster", .account = account().public_text()};
  const auto plain = part(sign_account(boss, claims, 1000).value(), 1);
  EXPECT_THAT(plain, HasSubstr(R"("signing_keys":[],"revocations":{})"));
  EXPECT_THAT(plain, Not(HasSubstr("storage")));
  EXPECT_THAT(plain, Not(HasSubstr("exp\"")));
  claims.disk_storage = 4096;
  claims.signing_keys = {key(NkeyKind::kAccount, 3).public_text()};
  claims.revoked = {{key(NkeyKind::kUser, 2).public_text(), 900}};
  const auto full = part(sign_account(boss, claims, 1000).value(), 1);
  EXPECT_THAT(full, HasSubstr(R"("disk_storage":4096)"));
  EXPECT_THAT(full, HasSubstr(key(NkeyKind::kUser, 2).public_text() + "\":900"));
  EXPECT_THAT(
      part(sign_operator(boss, {"o", account().public_text()}).value(), 1),
      HasSubstr(R"("nats":{"system_account":")" + account().public_text() + R"(","type":"operator","version":2})"));
}

TEST(NatsJwt, RefusesKeysOfAnotherKindAndTextOutsideItsGrammar) {
  const auto boss = key(NkeyKind::kOperator, 4);
  EXPECT_FALSE(sign_user(boss, user(), 1000));
  EXPECT_FALSE(sign_account(account(), {.name = "a", .account = account().public_text()}, 1000));
  EXPECT_FALSE(sign_account(boss, {.name = "a", .account = user().user}, 1000));
  EXPECT_FALSE(sign_operator(account(), {"o", account().public_text()}));
  for (const auto* bad : {"", "a\"b", "a\\b", "a\nb"}) {
    auto claims = user();
    claims.name = bad;
    EXPECT_EQ(sign_user(account(), claims, 1000).error().code(), Code::kInvalidArgument) << bad;
    claims = user();
    claims.permissions.subscribe = {bad};
    EXPECT_EQ(sign_user(account(), claims, 1000).error().code(), Code::kInvalidArgument) << bad;
  }
  auto claims = user();
  claims.user = claims.account;
  EXPECT_FALSE(sign_user(account(), claims, 1000));
}

TEST(NatsJwt, KnowsTheFormOfAJwt) {
  EXPECT_TRUE(check_jwt_form("a.b-_.C9"));
  for (const auto* bad : {"", "a.b", "a..b", ".a.b", "a.b.", "a.b.c.d", "a.b.c\n}", "a.b.\"c\"", "a.b.c d"}) {
    EXPECT_FALSE(check_jwt_form(bad)) << bad;
  }
  EXPECT_FALSE(check_jwt_form("a.b." + std::string(65536, 'c')));
}

} // namespace
} // namespace tcfdl::message_queue
