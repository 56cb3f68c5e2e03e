#include "crypto/proxy_reencryption.hpp"
#include "service_manager/tests/world.hpp"

namespace tcfdl::service_manager {
namespace {

class FunctionKeys : public World {
protected:
  FunctionKeys() {
    enrol(master_, wire::ROLE_MASTER);
    enrol(worker_, wire::ROLE_WORKER);
    enrol(client_, {"plates/*"});
    must(registry_->register_function("west", signed_descriptor()));
  }

  Error instance_refusal(const std::function<void(wire::InstanceStatement&)>& change) {
    auto changed = statement(instance_, worker_);
    change(changed);
    return refusal(authority_->instance_keys(instance_request(worker_, changed), "west"));
  }
  wire::InstanceKeysReply instance_keys() {
    return must(authority_->instance_keys(instance_request(worker_, statement(instance_, worker_)), "west"));
  }

  NodeKeys master_{.name = "m"};
  NodeKeys worker_{.name = "w"};
  HolderKeys client_{.name = "phone"};
  HolderKeys instance_{.name = "0190a3c0-instance"};
};

TEST_F(FunctionKeys, ATaskKeyTravelsFromTheCallerToTheInstance) {
  const auto sender = must(authority_->sender_keys(sender_request(client_, master_), "west"));
  const auto processor = instance_keys();
  const auto x_i = open(sender.sender_key(), client_.seal);
  const auto rk_if = open(sender.proxy_key(), master_.proxy_seal);
  const auto rk_fj = open(processor.proxy_key(), worker_.proxy_seal);
  const auto x_j = open(processor.processor_key(), instance_.seal);

  auto [encrypted, key] = crypto::encrypt(x_i, as_bytes("header"));
  const auto in_f = crypto::reencrypt(rk_if, encrypted.ek2);
  encrypted.ek2 = crypto::reencrypt(rk_fj, in_f);
  const auto opened = crypto::decrypt(x_j, encrypted, as_bytes("header"));
  EXPECT_TRUE(crypto::equal_constant_time(opened.span(), key.span()));
}

TEST_F(FunctionKeys, AnotherInstanceFunctionOrEpochDoesNotOpenIt) {
  const auto sender = must(authority_->sender_keys(sender_request(client_, master_), "west"));
  const auto x_i = open(sender.sender_key(), client_.seal);
  const auto rk_if = open(sender.proxy_key(), master_.proxy_seal);
  auto [encrypted, key] = crypto::encrypt(x_i, as_bytes("header"));
  const auto in_f = crypto::reencrypt(rk_if, encrypted.ek2);
  const auto opens = [&](const wire::InstanceKeysReply& reply, const HolderKeys& holder) {
    auto turned = encrypted;
    turned.ek2 = crypto::reencrypt(open(reply.proxy_key(), worker_.proxy_seal), in_f);
    const auto opened = crypto::decrypt(open(reply.processor_key(), holder.seal), turned, as_bytes("header"));
    return crypto::equal_constant_time(opened.span(), key.span());
  };
  EXPECT_TRUE(opens(instance_keys(), instance_));

  HolderKeys other{.name = instance_.name};
  auto mixed = must(authority_->instance_keys(instance_request(worker_, statement(other, worker_)), "west"));
  EXPECT_TRUE(opens(mixed, other));
  *mixed.mutable_proxy_key() = instance_keys().proxy_key();
  EXPECT_FALSE(opens(mixed, other)) << "x of another holder of the same name";

  must(registry_->register_function("west", signed_descriptor("plates/write")));
  EXPECT_FALSE(opens(
      must(authority_->instance_keys(instance_request(worker_, statement(instance_, worker_, "plates/write")), "west")),
      instance_));

  auto later = descriptor("plates/read", 2);
  later.set_epoch(4);
  must(registry_->register_function("west", wire::sign(owner_, later)));
  EXPECT_FALSE(opens(instance_keys(), instance_)) << "f of another epoch";
}

TEST_F(FunctionKeys, KeysAskedForTwiceAreTheSame) {
  const auto x = [&] { return open(instance_keys().processor_key(), instance_.seal).to_bytes(); };
  EXPECT_TRUE(crypto::equal_constant_time(x().span(), x().span()));
}

TEST_F(FunctionKeys, PackagesSayWhatTheyAreFor) {
  const auto reply = instance_keys();
  const auto certificate = must(
      wire::verify_certificate(authority_->public_key(), reply.certificate(), {wire::ROLE_INSTANCE}, clock_.now()));
  EXPECT_EQ(certificate.subject(), instance_.name);
  EXPECT_EQ(certificate.measurement(), kFunctionMeasurement);
  EXPECT_EQ(certificate.tee_kind(), "software");
  EXPECT_EQ(certificate.assurance(), "software");
  EXPECT_EQ(certificate.function(), "plates/read");
  EXPECT_THAT(certificate.grants(), testing::ElementsAre("*"));
  const auto processor = scope(reply.processor_key());
  EXPECT_EQ(processor.role(), wire::KEY_ROLE_PROCESSOR);
  EXPECT_EQ(processor.recipient_key(), bytes_of(instance_.seal));
  EXPECT_EQ(processor.evidence_hash(), certificate.evidence_hash());
  EXPECT_EQ(processor.function(), "plates/read");
  EXPECT_EQ(processor.assurance(), "software");
  EXPECT_EQ(processor.epoch(), 3U);
  EXPECT_EQ(processor.holder(), instance_.name);
  EXPECT_EQ(processor.owner(), wire::field(crypto::sha256(owner_.public_key().bytes())));
  EXPECT_EQ(processor.version(), 1U);
  const auto proxy = scope(reply.proxy_key());
  EXPECT_EQ(proxy.role(), wire::KEY_ROLE_PROXY_PROCESSOR);
  EXPECT_EQ(proxy.recipient_key(), bytes_of(worker_.proxy_seal));
  EXPECT_EQ(proxy.holder(), instance_.name);
  EXPECT_EQ(proxy.holder_verify_key(), bytes_of(instance_.verify));
  EXPECT_EQ(reply.descriptor().statement(), signed_descriptor().statement());

  const auto sender = must(authority_->sender_keys(sender_request(client_, master_), "west"));
  EXPECT_EQ(scope(sender.sender_key()).role(), wire::KEY_ROLE_SENDER);
  EXPECT_TRUE(scope(sender.sender_key()).evidence_hash().empty());
  EXPECT_EQ(scope(sender.proxy_key()).role(), wire::KEY_ROLE_PROXY_SENDER);
  EXPECT_EQ(scope(sender.proxy_key()).holder_verify_key(), bytes_of(client_.verify));
  const std::set<std::uint64_t> serials = {certificate.serial(), processor.serial(), proxy.serial(),
                                           scope(sender.sender_key()).serial(), scope(sender.proxy_key()).serial()};
  EXPECT_EQ(serials.size(), 5U);
}

TEST_F(FunctionKeys, AVersionOnTrialGetsKeysOfTheOneInForce) {
  auto tried = descriptor("plates/read", 2);
  tried.set_measurement(std::string(32, 't'));
  tried.set_epoch(9);
  const auto of_tried = [&] {
    auto changed = statement(instance_, worker_);
    changed.set_measurement(tried.measurement());
    return authority_->instance_keys(instance_request(worker_, changed), "west");
  };
  EXPECT_THAT(refusal(of_tried()), Refuses(Code::kPermissionDenied, "another measurement"));
  must(registry_->stage_function("west", wire::sign(owner_, tried)));
  const auto reply = must(of_tried());
  EXPECT_EQ(must(wire::verify_descriptor(reply.descriptor())).version(), 2U);
  for (const auto& package : {reply.processor_key(), reply.proxy_key()}) {
    EXPECT_EQ(scope(package).version(), 1U) << "the one in force is what counts for others";
    EXPECT_EQ(scope(package).epoch(), 3U) << "a trial raises no epoch";
  }
  EXPECT_EQ(scope(must(authority_->sender_keys(sender_request(client_, master_), "west")).sender_key()).version(), 1U);
  instance_keys(); // of the version in force
  must(registry_->withdraw_function("west", "plates/read"));
  EXPECT_THAT(refusal(of_tried()), Refuses(Code::kPermissionDenied, "another measurement"));
}

TEST_F(FunctionKeys, NobodyElseOpensAPackage) {
  const auto reply = instance_keys();
  const auto& package = reply.processor_key();
  EXPECT_FALSE(crypto::hpke_open(worker_.proxy_seal, as_bytes(package.scope()), {}, as_bytes(package.sealed())));
  EXPECT_FALSE(crypto::hpke_open(instance_.seal, as_bytes(reply.proxy_key().scope()), {}, as_bytes(package.sealed())));
}

TEST_F(FunctionKeys, AGatewayGetsItsCertificateAlone) {
  auto gateway = statement(instance_, worker_, "");
  gateway.set_role(wire::ROLE_GATEWAY);
  const auto reply = must(authority_->instance_keys(instance_request(worker_, gateway), "west"));
  EXPECT_FALSE(reply.has_processor_key());
  EXPECT_FALSE(reply.has_proxy_key());
  instance_.certificate = reply.certificate();
  EXPECT_TRUE(wire::verify_certificate(authority_->public_key(), reply.certificate(), {wire::ROLE_GATEWAY}, kNow));
  EXPECT_TRUE(authority_->sender_keys(sender_request(instance_, worker_), "west"));
  policy_.gateway_measurements = {Bytes(32, 1)};
  start();
  EXPECT_THAT(refusal(authority_->instance_keys(instance_request(worker_, gateway), "west")),
              Refuses(Code::kPermissionDenied, "gateway"));
}

TEST_F(FunctionKeys, InstancesCallFunctionsToo) {
  instance_.certificate = instance_keys().certificate();
  EXPECT_TRUE(authority_->sender_keys(sender_request(instance_, worker_), "west"));
}

TEST_F(FunctionKeys, StatementsAreHeldAgainstProxyAndDescriptor) {
  EXPECT_THAT(instance_refusal([](auto& s) { s.set_measurement(std::string(32, 'x')); }),
              Refuses(Code::kPermissionDenied, "another measurement"));
  EXPECT_THAT(instance_refusal([](auto& s) { s.set_function("plates/none"); }),
              Refuses(Code::kNotFound, "no function plates/none is registered"));
  EXPECT_THAT(instance_refusal([](auto& s) { s.set_node("m"); }), Refuses(Code::kPermissionDenied, "node m"));
  EXPECT_THAT(instance_refusal([](auto& s) { s.set_cluster("east"); }), Refuses(Code::kPermissionDenied, "east"));
  EXPECT_THAT(instance_refusal([](auto& s) { s.set_issued(kNow - 301); }), Refuses(Code::kUnauthenticated, "clocks"));
  EXPECT_THAT(instance_refusal([](auto& s) { s.set_issued(kNow + 301); }), Refuses(Code::kUnauthenticated, "clocks"));
  EXPECT_THAT(instance_refusal([](auto& s) { s.set_role(wire::ROLE_MASTER); }),
              Refuses(Code::kInvalidArgument, "role"));
  EXPECT_THAT(instance_refusal([](auto& s) { s.set_instance("a b"); }), Refuses(Code::kInvalidArgument, "instance"));
  EXPECT_THAT(instance_refusal([](auto& s) { s.set_seal_key("x"); }), Refuses(Code::kInvalidArgument, ""));
  EXPECT_THAT(instance_refusal([](auto& s) { s.set_measurement(""); }), Refuses(Code::kInvalidArgument, "measurement"));
}

TEST_F(FunctionKeys, ProxiesMustBeWhoTheySayAndEnrolled) {
  auto request = instance_request(worker_, statement(instance_, worker_));
  EXPECT_THAT(refusal(authority_->instance_keys(request, "east")), Refuses(Code::kPermissionDenied, "east"));
  *request.mutable_statement() = wire::sign(master_.proxy, statement(instance_, worker_));
  EXPECT_THAT(refusal(authority_->instance_keys(request, "west")),
              Refuses(Code::kUnauthenticated, "InstanceStatement"));
  request = instance_request(worker_, statement(instance_, worker_));
  *request.mutable_proxy_certificate() = worker_.certificate;
  EXPECT_THAT(refusal(authority_->instance_keys(request, "west")), Refuses(Code::kPermissionDenied, "ROLE_WORKER"));
  const auto forger = crypto::SigningKey::generate();
  wire::Signed forged = worker_.proxy_certificate;
  forged.set_signature(wire::sign(forger, wire::Certificate()).signature());
  *request.mutable_proxy_certificate() = forged;
  EXPECT_THAT(refusal(authority_->instance_keys(request, "west")),
              Refuses(Code::kUnauthenticated, "proxy_certificate"));
  must(authority_->remove_subject("west", "w"));
  request = instance_request(worker_, statement(instance_, worker_));
  EXPECT_THAT(refusal(authority_->instance_keys(request, "west")), Refuses(Code::kUnauthenticated, "not enrolled"));
}

TEST_F(FunctionKeys, ExpiredCertificatesGetNothing) {
  clock_.advance(30L * 24 * 3600);
  auto late = statement(instance_, worker_);
  late.set_issued(clock_.now());
  EXPECT_THAT(refusal(authority_->instance_keys(instance_request(worker_, late), "west")),
              Refuses(Code::kUnauthenticated, "expired"));
}

TEST_F(FunctionKeys, TheDescriptorDecidesWhereItRuns) {
  const auto deployed = [&](std::uint64_t version, const std::function<void(wire::Descriptor&)>& change) {
    auto changed = descriptor("plates/read", version);
    change(changed);
    must(registry_->register_function("north", wire::sign(owner_, changed)));
    return refusal(authority_->instance_keys(instance_request(worker_, statement(instance_, worker_)), "west"));
  };
  EXPECT_THAT(deployed(2, [](auto& d) { d.set_providers(0, "north"); }),
              Refuses(Code::kPermissionDenied, "cluster west may not provide it"));
  EXPECT_THAT(deployed(3, [](auto& d) { d.set_tee_kinds(0, "sgx"); }), Refuses(Code::kPermissionDenied, "'software'"));
  EXPECT_THAT(deployed(4, [](auto& d) { d.set_assurance(0, "hardware"); }),
              Refuses(Code::kPermissionDenied, "class 'software'"));
}

TEST_F(FunctionKeys, CallersNeedGrantRoleAndEnrolment) {
  must(registry_->register_function("west", signed_descriptor("echo")));
  EXPECT_THAT(refusal(authority_->sender_keys(sender_request(client_, master_, "echo"), "west")),
              Refuses(Code::kPermissionDenied, "no grant to call echo"));
  EXPECT_THAT(refusal(authority_->sender_keys(sender_request(client_, master_, "plates/x"), "west")),
              Refuses(Code::kNotFound, "no function plates/x is registered"));
  EXPECT_THAT(refusal(authority_->sender_keys(sender_request(client_, master_, "No Name"), "west")),
              Refuses(Code::kInvalidArgument, "name"));
  HolderKeys node{.name = "w"};
  node.certificate = worker_.certificate;
  EXPECT_THAT(refusal(authority_->sender_keys(sender_request(node, master_), "west")),
              Refuses(Code::kPermissionDenied, "caller_certificate"));
  must(authority_->remove_subject("west", "phone"));
  EXPECT_THAT(refusal(authority_->sender_keys(sender_request(client_, master_), "west")),
              Refuses(Code::kUnauthenticated, "not enrolled"));
}

TEST_F(FunctionKeys, NoClassIsEverLowered) {
  EXPECT_THAT(refusal(authority_->sender_keys(sender_request(client_, master_, "plates/read", "hardware"), "west")),
              Refuses(Code::kPermissionDenied, "admits no tasks of class 'hardware'"));
  auto both = descriptor("plates/read", 2);
  both.clear_assurance();
  both.add_assurance("hardware");
  both.add_assurance("software");
  must(registry_->register_function("west", wire::sign(owner_, both)));
  EXPECT_THAT(refusal(authority_->sender_keys(sender_request(client_, master_), "west")),
              Refuses(Code::kPermissionDenied, "only to proxies of that class"));
  EXPECT_TRUE(authority_->sender_keys(sender_request(client_, master_, "plates/read", "software"), "west"));
}

TEST_F(FunctionKeys, APolicyThatDropsAKindStopsItsProxies) {
  policy_ = must(attestation::Policy::parse_text("tee_kinds: {sgx: hardware}", "policy"));
  start();
  EXPECT_THAT(refusal(authority_->instance_keys(instance_request(worker_, statement(instance_, worker_)), "west")),
              Refuses(Code::kPermissionDenied, "kind 'software'"));
}

} // namespace
} // namespace tcfdl::service_manager
