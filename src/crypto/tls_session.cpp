#include "crypto/tls_session.hpp"

#include "crypto/openssl.hpp"

#include <algorithm>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

namespace tcfdl::crypto {
namespace {

struct SessionDeleter {
  void operator()(X509* object) const noexcept { X509_free(object); }
  void operator()(BIO* object) const noexcept { BIO_free(object); }
};
template <class T> using SessionPtr = std::unique_ptr<T, SessionDeleter>;

SessionPtr<BIO> memory_of(BytesView bytes) {
  return SessionPtr<BIO>(require_object(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())), "memory"));
}

Result<SessionPtr<X509>> certificate_of(const std::string& pem) {
  const auto memory = memory_of(as_bytes(pem));
  SessionPtr<X509> certificate(PEM_read_bio_X509(memory.get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (!certificate) return Error(Code::kInvalidArgument, "a TLS certificate in PEM was expected");
  return certificate;
}

std::shared_ptr<SSL_CTX> make_context(const SSL_METHOD* method) {
  std::shared_ptr<SSL_CTX> context(require_object(SSL_CTX_new(method), "a TLS context"), SSL_CTX_free);
  require(SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION) == 1, "TLS 1.3");
  require(SSL_CTX_set_num_tickets(context.get(), 0), "TLS without tickets");
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
  return context;
}

Status show(SSL_CTX* context, const std::string& certificate_pem, BytesView key_pem) {
  TCFDL_ASSIGN(const auto certificate, certificate_of(certificate_pem));
  const auto memory = memory_of(key_pem);
  const NativePtr<EVP_PKEY> key(PEM_read_bio_PrivateKey(memory.get(), nullptr, nullptr, nullptr));
  const bool good = key && succeeded(SSL_CTX_use_certificate(context, certificate.get())) &&
                    succeeded(SSL_CTX_use_PrivateKey(context, key.get())) &&
                    succeeded(SSL_CTX_check_private_key(context));
  ERR_clear_error();
  if (good) return {};
  return Error(Code::kInvalidArgument, "the TLS key is none in PEM or is not of the certificate");
}

Status trust(SSL_CTX* context, const std::string& root_pem, int mode, int purpose) {
  TCFDL_ASSIGN(const auto root, certificate_of(root_pem));
  require(X509_STORE_add_cert(SSL_CTX_get_cert_store(context), root.get()), "trusting a root");
  require(SSL_CTX_set_purpose(context, purpose), "the purpose of certificates");
  SSL_CTX_set_verify(context, mode, nullptr);
  return {};
}

} // namespace

Result<TlsContext> TlsContext::server(const std::string& certificate_pem, BytesView key_pem,
                                      const std::string& client_root_pem) {
  auto context = make_context(TLS_server_method());
  TCFDL_TRY(show(context.get(), certificate_pem, key_pem));
  if (!client_root_pem.empty()) {
    TCFDL_TRY(trust(context.get(), client_root_pem, SSL_VERIFY_PEER, X509_PURPOSE_SSL_CLIENT));
  }
  return TlsContext(std::move(context));
}

Result<TlsContext> TlsContext::client(const std::string& root_pem, const std::string& certificate_pem,
                                      BytesView key_pem) {
  auto context = make_context(TLS_client_method());
  TCFDL_TRY(trust(context.get(), root_pem, SSL_VERIFY_PEER, X509_PURPOSE_SSL_SERVER));
  if (!certificate_pem.empty()) TCFDL_TRY(show(context.get(), certificate_pem, key_pem));
  return TlsContext(std::move(context));
}

void TlsSession::SslDeleter::operator()(ssl_st* object) const noexcept { SSL_free(object); }

TlsSession::TlsSession(const TlsContext& context, bool server)
    : native_(require_object(SSL_new(context.native_.get()), "a TLS session")) {
  BIO* in = require_object(BIO_new(BIO_s_mem()), "memory");
  BIO* out = require_object(BIO_new(BIO_s_mem()), "memory");
  BIO_set_mem_eof_return(in, -1); // an empty buffer is not the end
  SSL_set_bio(native_.get(), in, out);
  if (server) {
    SSL_set_accept_state(native_.get());
  } else {
    SSL_set_connect_state(native_.get());
  }
}

TlsSession TlsSession::accept(const TlsContext& context) { return {context, true}; }

TlsSession TlsSession::connect(const TlsContext& context, const std::string& server_name) {
  TlsSession session(context, false);
  SSL_set_hostflags(session.native_.get(), X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_WILDCARDS);
  require(SSL_set1_host(session.native_.get(), server_name.c_str()), "the name of a server");
  require(SSL_set_tlsext_host_name(session.native_.get(), server_name.c_str()) == 1, "the name of a server");
  return session;
}

void TlsSession::feed(BytesView from_peer) {
  while (!from_peer.empty()) {
    const auto part = static_cast<int>(std::min<std::size_t>(from_peer.size(), std::size_t{1} << 20U));
    require(BIO_write(SSL_get_rbio(native_.get()), from_peer.data(), part) == part, "memory");
    from_peer = from_peer.subspan(static_cast<std::size_t>(part));
  }
}

std::size_t TlsSession::pending_output() const { return BIO_ctrl_pending(SSL_get_wbio(native_.get())); }

Bytes TlsSession::take_output() {
  BIO* out = SSL_get_wbio(native_.get());
  Bytes bytes(pending_output());
  if (!bytes.empty()) {
    const auto size = static_cast<int>(bytes.size());
    require(BIO_read(out, bytes.data(), size) == size, "memory");
  }
  return bytes;
}

Error TlsSession::failure(const char* doing, int returned) const {
  const auto verified = SSL_get_verify_result(native_.get());
  const bool fatal = SSL_get_error(native_.get(), returned) == SSL_ERROR_SSL;
  const char* reason = fatal ? ERR_reason_error_string(ERR_peek_last_error()) : nullptr;
  const auto text = fmt::format("{}: {}", doing, reason == nullptr ? "the peer sent no valid TLS 1.3" : reason);
  ERR_clear_error();
  if (verified == X509_V_OK) return {Code::kInvalidArgument, text};
  return make_error(Code::kUnauthenticated, "{}: {}", text, X509_verify_cert_error_string(verified));
}

Result<bool> TlsSession::handshake() {
  ERR_clear_error();
  const int returned = SSL_do_handshake(native_.get());
  if (succeeded(returned)) return true;
  if (SSL_get_error(native_.get(), returned) == SSL_ERROR_WANT_READ) return false;
  return failure("TLS", returned);
}

Result<std::size_t> TlsSession::read(std::span<std::uint8_t> into) {
  if (ended_ || into.empty()) return std::size_t{0};
  ERR_clear_error();
  std::size_t count = 0;
  const int returned = SSL_read_ex(native_.get(), into.data(), into.size(), &count);
  if (succeeded(returned)) return count;
  const int why = SSL_get_error(native_.get(), returned);
  ended_ = why == SSL_ERROR_ZERO_RETURN;
  if (ended_ || why == SSL_ERROR_WANT_READ) return std::size_t{0};
  return failure("reading TLS", returned);
}

Status TlsSession::write(BytesView plaintext) {
  if (plaintext.empty()) return {};
  ERR_clear_error();
  std::size_t count = 0;
  const int returned = SSL_write_ex(native_.get(), plaintext.data(), plaintext.size(), &count);
  if (succeeded(returned) && count == plaintext.size()) return {};
  return failure("writing TLS", returned);
}

void TlsSession::close() {
  ERR_clear_error();
  (void)SSL_shutdown(native_.get());
  ERR_clear_error();
}

Bytes TlsSession::peer_certificate() const {
  const SessionPtr<X509> certificate(SSL_get1_peer_certificate(native_.get()));
  if (!certificate || SSL_get_verify_result(native_.get()) != X509_V_OK) return {};
  const int size = i2d_X509(certificate.get(), nullptr);
  require(size > 0, "encoding DER");
  Bytes der(static_cast<std::size_t>(size));
  auto* at = der.data();
  require(i2d_X509(certificate.get(), &at) == size, "encoding DER");
  return der;
}

} // namespace tcfdl::crypto
