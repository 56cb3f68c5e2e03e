#include "cli/bench.hpp"
#include "cli/bench_rows.hpp"
#include "crypto/hpke.hpp"
#include "sdk/capsule_session.hpp"

namespace tcfdl::cli {
namespace {

constexpr unsigned kTasks = 1000;

/// The caller's proxy and the authority behind it, in this process.
class LocalProxy final : public sdk::Proxy {
public:
  LocalProxy() {
    wire::Certificate certificate;
    certificate.set_subject("proxy");
    certificate.set_role(wire::ROLE_PROXY);
    certificate.set_issued(now() - 1);
    certificate.set_expires(now() + 3600);
    certificate.set_verify_key(wire::field(proxy_.public_key().bytes()));
    certificate_ = wire::sign(authority_, certificate);
  }

  Result<wire::ProxyReply> request(const wire::ProxyRequest& request, Deadline) override {
    auto scope = scope_of_caller();
    wire::ProxyReply reply;
    if (request.has_turn()) {
      const wire::ProxyKey key{crypto::reencryption_key(x_, f_), std::move(scope)};
      TCFDL_ASSIGN(*reply.mutable_capsule(), wire::turn_capsule(request.turn(), key, proxy_, certificate_, now()));
      return reply;
    }
    TCFDL_ASSIGN(auto sealed, crypto::hpke_seal(caller_.sealing.public_key().bytes(),
                                                as_bytes(scope.SerializeAsString()), {}, x_.to_bytes().span()));
    *reply.mutable_sender_key() = wire::sign_key_package(authority_, scope, std::move(sealed));
    return reply;
  }

  [[nodiscard]] const sdk::Identity& caller() const { return caller_; }

private:
  static std::int64_t now() { return SystemClock().now(); }
  [[nodiscard]] wire::KeyScope scope_of_caller() const {
    wire::KeyScope scope;
    scope.set_recipient_key(wire::field(caller_.sealing.public_key().bytes()));
    scope.set_function("bench");
    scope.set_role(wire::KEY_ROLE_SENDER);
    scope.set_assurance("software");
    scope.set_epoch(1);
    scope.set_holder(caller_.name);
    scope.set_holder_verify_key(wire::field(caller_.signing.public_key().bytes()));
    scope.set_expires(now() + 3600);
    return scope;
  }

  const crypto::SigningKey authority_ = crypto::SigningKey::generate();
  const crypto::SigningKey proxy_ = crypto::SigningKey::generate();
  const crypto::Scalar f_ = crypto::Scalar::random();
  const crypto::Scalar x_ = crypto::Scalar::random();
  const sdk::Identity caller_{.name = "caller",
                              .signing = crypto::SigningKey::generate(),
                              .sealing = crypto::HpkePrivateKey::generate(),
                              .certificate = wire::Signed(),
                              .authority = authority_.public_key()};
  wire::Signed certificate_;
};

} // namespace

Status bench_session(unsigned repeats, const std::string& floor, double floor_p50, Json& rows) {
  LocalProxy proxy;
  const SystemClock clock;
  sdk::CapsuleSession session(proxy.caller(), proxy, clock);
  const auto get = [&]() -> Status {
    TCFDL_ASSIGN(const auto capsule, session.get("bench", "software", 1, Deadline::after(std::chrono::seconds(10))));
    return {};
  };
  TCFDL_ASSIGN(const auto sample, measure(repeats, get, kTasks));
  rows.push_back(bench_row("eae_per_task_reused", 0, sample, floor, floor_p50));
  return {};
}

} // namespace tcfdl::cli
