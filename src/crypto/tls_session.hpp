// TLS 1.3 (RFC 8446) between bytes: whoever carries them owns the sockets. A library of its own (`tcfdl::tls`), so that
// programs without TLS do not load it.
#pragma once

#include "base/result.hpp"
#include "crypto/secret.hpp"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <tcfdl/bytes.hpp>

struct ssl_ctx_st;
struct ssl_st;

namespace tcfdl::crypto {

/// Keys and trust that sessions share. TLS 1.3 only, no tickets, no early data. Immutable; any thread; copies share.
class TlsContext {
public:
  /// Shows that certificate. With `client_root_pem` peers may show one of their own, which must be of that root then.
  /// INVALID_ARGUMENT for a certificate or key that is none, or a pair that does not fit.
  static Result<TlsContext> server(const std::string& certificate_pem, BytesView key_pem,
                                   const std::string& client_root_pem = {});
  /// Trusts that root and no other. With a certificate it shows that to a server that asks. INVALID_ARGUMENT.
  static Result<TlsContext> client(const std::string& root_pem, const std::string& certificate_pem = {},
                                   BytesView key_pem = {});

private:
  friend class TlsSession;
  explicit TlsContext(std::shared_ptr<ssl_ctx_st> native) : native_(std::move(native)) {}
  std::shared_ptr<ssl_ctx_st> native_;
};

/// One connection. Bytes of the peer go in by `feed`; after every call `take_output` has what the peer must get, also
/// after an error (an alert). One thread at a time.
class TlsSession {
public:
  static TlsSession accept(const TlsContext& context);
  /// The server must be `server_name` in its certificate.
  static TlsSession connect(const TlsContext& context, const std::string& server_name);

  void feed(BytesView from_peer);
  [[nodiscard]] Bytes take_output();
  /// How much that would be. Peers can make it grow by what they send.
  [[nodiscard]] std::size_t pending_output() const;

  /// Goes on as far as the bytes allow. True when it is done; UNAUTHENTICATED for a peer that does not prove who it is,
  /// INVALID_ARGUMENT for what is no TLS 1.3. Nothing else is called before it is done.
  Result<bool> handshake();

  /// Plaintext that is there; 0 when more must be fed, or at the end (`ended`). INVALID_ARGUMENT for broken records:
  /// the connection is over.
  Result<std::size_t> read(std::span<std::uint8_t> into);
  /// Whether the peer said that it sends no more. An end of the bytes without that is a truncation.
  [[nodiscard]] bool ended() const noexcept { return ended_; }

  Status write(BytesView plaintext);
  /// Says that nothing more follows.
  void close();

  /// DER of the peer's certificate, checked under the context's root; empty for none. After the handshake.
  [[nodiscard]] Bytes peer_certificate() const;

private:
  struct SslDeleter {
    void operator()(ssl_st* object) const noexcept;
  };
  TlsSession(const TlsContext& context, bool server);
  [[nodiscard]] Error failure(const char* doing, int returned) const;

  std::unique_ptr<ssl_st, SslDeleter> native_;
  bool ended_ = false;
};

} // namespace tcfdl::crypto
