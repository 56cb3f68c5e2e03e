#include "wire/proxy_line.hpp"

#include "crypto/hash.hpp"
#include "crypto/random.hpp"

#include <array>

namespace tcfdl::wire {
namespace {

constexpr std::size_t kNonce = 32;
constexpr std::size_t kHello = 1 + kNonce;                    // line ‖ the proxy's nonce
constexpr std::size_t kAnswer = kNonce + crypto::kSha256Size; // the daemon's nonce ‖ its proof
constexpr std::string_view kDaemonProof = "tcfdl/1/ProxyLine/daemon";
constexpr std::string_view kProxyProof = "tcfdl/1/ProxyLine/proxy";

crypto::Sha256Digest proof(const LineSecret& secret, std::string_view label, BytesView hello, BytesView daemon_nonce) {
  constexpr std::array<std::uint8_t, 1> kEnd{};
  return crypto::hmac_sha256(secret.span(), {as_bytes(label), kEnd, hello, daemon_nonce});
}

Status send(Connection& connection, BytesView payload, Deadline deadline) {
  return connection.send(FrameKind::kMessage, payload, deadline);
}

/// A frame of exactly `size` bytes.
Result<Bytes> receive(Connection& connection, std::size_t size, std::string_view what, Deadline deadline) {
  Bytes payload;
  TCFDL_ASSIGN(const auto kind, connection.receive(payload, deadline));
  if (kind == FrameKind::kMessage && payload.size() == size) return payload;
  return make_error(Code::kUnauthenticated, "{} is no frame of {} bytes", what, size);
}

Result<ProxyLine> parse_line(std::uint8_t number) {
  if (number >= 1 && number <= kProxyLines) return static_cast<ProxyLine>(number);
  return make_error(Code::kUnauthenticated, "{} is no line between daemon and proxy", number);
}

} // namespace

std::string_view to_string(ProxyLine line) {
  switch (line) {
  case ProxyLine::kCommands: return "commands";
  case ProxyLine::kEvents: return "events";
  case ProxyLine::kAuthority: break;
  }
  return "authority";
}

Status prove_line(Connection& connection, ProxyLine line, const LineSecret& secret, Deadline deadline) {
  Bytes hello{static_cast<std::uint8_t>(line)};
  const auto nonce = crypto::random_array<kNonce>();
  hello.insert(hello.end(), nonce.begin(), nonce.end());
  TCFDL_TRY(send(connection, hello, deadline));
  TCFDL_ASSIGN(const auto answer, receive(connection, kAnswer, "the daemon's answer", deadline));
  const auto daemon_nonce = BytesView(answer).first(kNonce);
  if (!crypto::equal_constant_time(BytesView(answer).subspan(kNonce),
                                   proof(secret, kDaemonProof, hello, daemon_nonce))) {
    return Error(Code::kUnauthenticated, "whoever listens there does not know the secret of this start");
  }
  return send(connection, proof(secret, kProxyProof, hello, daemon_nonce), deadline);
}

Result<ProxyLine> admit_line(Connection& connection, const LineSecret& secret, Deadline deadline) {
  TCFDL_ASSIGN(const auto hello, receive(connection, kHello, "the hello of a proxy", deadline));
  TCFDL_ASSIGN(const auto line, parse_line(hello.front()));
  const auto nonce = crypto::random_array<kNonce>();
  Bytes answer(nonce.begin(), nonce.end());
  const auto own = proof(secret, kDaemonProof, hello, nonce);
  answer.insert(answer.end(), own.begin(), own.end());
  TCFDL_TRY(send(connection, answer, deadline));
  TCFDL_ASSIGN(const auto shown, receive(connection, crypto::kSha256Size, "the proof of a proxy", deadline));
  if (crypto::equal_constant_time(shown, proof(secret, kProxyProof, hello, nonce))) return line;
  return Error(Code::kUnauthenticated, "whoever connected does not know the secret of this start");
}

} // namespace tcfdl::wire
