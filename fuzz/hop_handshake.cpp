// What a stranger sends where a hop's handshake is expected: it ends in an error, never in a hop.
#include "wire/hop_handshake.hpp"

#include <cstdlib>
#include <ctime>

namespace {

using namespace tcfdl;
using namespace tcfdl::wire;

/// A party whose certificate the authority signed.
struct Party {
  Party(const crypto::SigningKey& root, Role role) : authority(root.public_key()) {
    Certificate statement;
    statement.set_subject("party");
    statement.set_role(role);
    statement.set_issued(1);
    statement.set_expires(1000);
    statement.set_verify_key(field(signing.public_key().bytes()));
    certificate = sign(root, statement);
  }
  [[nodiscard]] HopIdentity identity() const { return {signing, certificate, authority}; }

  crypto::SigningKey signing = crypto::SigningKey::generate();
  crypto::VerifyKey authority;
  Signed certificate;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static auto* const kUnused = google::protobuf::SetLogHandler(nullptr);
  (void)kUnused;
  static const auto kRoot = crypto::SigningKey::generate();
  static const Party kCaller(kRoot, ROLE_CLIENT);
  static const Party kProxy(kRoot, ROLE_PROXY);
  const BytesView input(data, size);
  // Nothing in the input is signed by the authority, which is made here.
  if (HopResponder::answer(kProxy.identity(), input, {ROLE_CLIENT, ROLE_PROXY}, 10)) std::abort();
  HopInitiator initiator(kCaller.identity());
  Bytes finish;
  if (initiator.finish(input, {ROLE_PROXY}, 10, finish)) std::abort();
  if (!finish.empty()) std::abort();
  auto responder = HopResponder::answer(kProxy.identity(), initiator.offer(), {ROLE_CLIENT}, 10);
  if (!responder || std::move(*responder).confirm(input)) std::abort();
  return 0;
}
