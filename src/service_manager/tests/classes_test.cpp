// A fleet of two classes: a software TEE, and a confidential VM whose evidence a maker of its own vouches for.
#include "attestation/samples/snp_world.hpp"
#include "crypto/proxy_reencryption.hpp"
#include "service_manager/tests/world.hpp"

namespace tcfdl::service_manager {
namespace {

class Classes : public World {
protected:
  Classes() {
    policy_ = must(attestation::Policy::parse_text("tee_kinds: {software: software, snp: hardware}", "policy"));
    endorsements_ = [this]() -> Result<std::vector<attestation::Endorsements>> {
      return std::vector{amd_.endorsements()};
    };
    verifiers_.push_back(std::make_unique<attestation::SnpVerifier>(amd_.verifier()));
    start();
    enrol(soft_, wire::ROLE_MASTER);
    enrol_hardware(hard_);
    enrol(client_);
    auto both = descriptor();
    both.clear_assurance();
    both.add_assurance("hardware");
    both.add_assurance("software");
    both.add_tee_kinds("snp");
    must(registry_->register_function("west", wire::sign(owner_, both)));
  }

  void enrol_hardware(NodeKeys& node) {
    auto request = node_request(node, wire::ROLE_WORKER, token(wire::ROLE_WORKER));
    auto& proxy = *request.mutable_proxy();
    const auto data = attestation::report_data("proxy", as_bytes(proxy.nonce()),
                                               {as_bytes(proxy.verify_key()), as_bytes(proxy.seal_key())});
    amd_.report.put(0x050, BytesView(data));
    *proxy.mutable_evidence() = amd_.evidence();
    const auto reply = must(authority_->enrol(request));
    node.certificate = reply.certificate();
    node.proxy_certificate = reply.proxy_certificate();
  }
  Result<wire::SenderKeysReply> sender_keys(const NodeKeys& node, const std::string& assurance) {
    return authority_->sender_keys(sender_request(client_, node, "plates/read", assurance), "west");
  }
  wire::InstanceKeysReply instance_keys(const HolderKeys& instance, const NodeKeys& node) {
    return must(authority_->instance_keys(instance_request(node, statement(instance, node)), "west"));
  }
  static wire::KeyScope scope(const wire::KeyPackage& package) {
    return must(wire::parse<wire::KeyScope>(package.scope()));
  }
  static crypto::Scalar open(const wire::KeyPackage& package, const crypto::HpkePrivateKey& key) {
    const auto secret = must(crypto::hpke_open(key, as_bytes(package.scope()), {}, as_bytes(package.sealed())));
    return must(crypto::Scalar::from_bytes(secret.span()));
  }

  attestation::test::SnpWorld amd_;
  NodeKeys soft_{.name = "soft"};
  NodeKeys hard_{.name = "hard"};
  HolderKeys client_{.name = "phone"};
  HolderKeys on_soft_{.name = "on-soft"};
  HolderKeys on_hard_{.name = "on-hard"};
};

TEST_F(Classes, NoReencryptionKeyGoesToAProxyBelowTheClass) {
  const auto certificate = must(wire::parse<wire::Certificate>(hard_.proxy_certificate.statement()));
  EXPECT_EQ(certificate.assurance(), "hardware");
  EXPECT_EQ(certificate.tee_kind(), "snp");
  EXPECT_THAT(refusal(sender_keys(soft_, "hardware")),
              Refuses(Code::kPermissionDenied, "only to proxies of that class"));
  EXPECT_THAT(refusal(sender_keys(soft_, "")), Refuses(Code::kPermissionDenied, "only to proxies of that class"))
      << "the first class of the descriptor, and no weaker one instead";
  const auto hardware = must(sender_keys(hard_, "hardware"));
  EXPECT_EQ(scope(hardware.proxy_key()).assurance(), "hardware");
  EXPECT_EQ(scope(hardware.proxy_key()).recipient_key(), bytes_of(hard_.proxy_seal));
  EXPECT_EQ(scope(must(sender_keys(hard_, "software")).proxy_key()).assurance(), "software") << "above it is enough";
  EXPECT_EQ(scope(must(sender_keys(soft_, "software")).proxy_key()).assurance(), "software");
  EXPECT_EQ(scope(instance_keys(on_soft_, soft_).proxy_key()).assurance(), "software");
  EXPECT_EQ(scope(instance_keys(on_hard_, hard_).proxy_key()).assurance(), "hardware");
}

TEST_F(Classes, WhatIsSentToHardwareOpensInNoSoftwareTee) {
  const auto sender = must(sender_keys(hard_, "hardware"));
  auto [encrypted, key] = crypto::encrypt(open(sender.sender_key(), client_.seal), as_bytes("header"));
  const auto in_f = crypto::reencrypt(open(sender.proxy_key(), hard_.proxy_seal), encrypted.ek2);
  const auto opens = [&](const wire::InstanceKeysReply& keys, const HolderKeys& instance, const NodeKeys& node) {
    auto turned = encrypted;
    turned.ek2 = crypto::reencrypt(open(keys.proxy_key(), node.proxy_seal), in_f);
    const auto opened = crypto::decrypt(open(keys.processor_key(), instance.seal), turned, as_bytes("header"));
    return crypto::equal_constant_time(opened.span(), key.span());
  };
  EXPECT_TRUE(opens(instance_keys(on_hard_, hard_), on_hard_, hard_));
  EXPECT_FALSE(opens(instance_keys(on_soft_, soft_), on_soft_, soft_));
}

TEST_F(Classes, EachHasKeysOfItsOwnInEveryEpoch) {
  const auto x = [&](const std::string& assurance) {
    return open(must(sender_keys(hard_, assurance)).sender_key(), client_.seal).to_bytes();
  };
  const auto hardware = x("hardware");
  const auto software = x("software");
  EXPECT_FALSE(crypto::equal_constant_time(hardware.span(), software.span()));
  wire::RotateKey rotate;
  rotate.set_function("plates/read");
  must(authority_->rotate_key(rotate, "west"));
  for (const auto* assurance : {"hardware", "software"}) {
    const auto next = x(assurance);
    EXPECT_FALSE(crypto::equal_constant_time(next.span(), hardware.span()));
    EXPECT_FALSE(crypto::equal_constant_time(next.span(), software.span()));
  }
}

TEST_F(Classes, AMasterGetsNoKeysToSendWith) {
  auto request = sender_request(client_, soft_, "plates/read", "software");
  *request.mutable_caller_certificate() = soft_.certificate;
  EXPECT_THAT(refusal(authority_->sender_keys(request, "west")), Refuses(Code::kPermissionDenied, "ROLE_MASTER"));
  *request.mutable_caller_certificate() = soft_.proxy_certificate;
  EXPECT_THAT(refusal(authority_->sender_keys(request, "west")), Refuses(Code::kPermissionDenied, "ROLE_PROXY"));
}

} // namespace
} // namespace tcfdl::service_manager
