#include "service_manager/authority/tls_authority.hpp"

#include "crypto/hash.hpp"
#include "service_manager/tests/world.hpp"

namespace tcfdl::service_manager {
namespace {

class TlsRoot : public World {};

TEST_F(TlsRoot, IsOfTheKeyThatTokensPin) {
  wire::CreateToken request;
  request.set_role(wire::ROLE_MASTER);
  request.set_cluster("west");
  const auto token = must(authority_->create_token(request));
  const auto tls = authority_->tls();
  must(crypto::check_tls_root(tls.root().der(), as_bytes(token.authority_key_hash()), kNow));
}

TEST_F(TlsRoot, OfARestartedAuthorityVouchesForWhatItIssuedBefore) {
  const auto key = crypto::SigningKey::generate();
  const auto leaf = must(authority_->tls().issue(key.public_key(), {"a.tcfdl.internal"}, kNow + 100));
  clock_.advance(10);
  start();
  must(crypto::check_tls_certificate(leaf, authority_->tls().root(), key.public_key(), "a.tcfdl.internal", kNow + 10));
}

TEST_F(TlsRoot, IssuesNothingThatHasExpired) {
  const auto key = crypto::SigningKey::generate();
  EXPECT_THAT(refusal(authority_->tls().issue(key.public_key(), {"a.tcfdl.internal"}, kNow)),
              Refuses(Code::kInvalidArgument, "expired"));
}

} // namespace
} // namespace tcfdl::service_manager
