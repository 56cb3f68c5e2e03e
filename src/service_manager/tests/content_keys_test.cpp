// Keys of confidential files, on their way from the owner to attested instances.
#include "attestation/samples/snp_world.hpp"
#include "crypto/random.hpp"
#include "service_manager/tests/world.hpp"
#include "wire/confidential.hpp"

#include <algorithm>

namespace tcfdl::service_manager {
namespace {

class ContentKeys : public World {
protected:
  ContentKeys() {
    enrol(master_, wire::ROLE_MASTER);
    enrol(worker_, wire::ROLE_WORKER);
  }
  Bytes seal_key() {
    wire::AuthorityRequest request;
    request.mutable_seal_key();
    const auto reply =
        must(wire::parse<wire::AuthorityReply>(must(service_->handle_authority(signed_request(request)))));
    return to_bytes(must(wire::verify<wire::SealKey>(authority_->public_key(), reply.seal_key())).key());
  }
  template <class Body> Bytes signed_request(const Body& body) {
    return wire::serialize(make_request(master_.verify, master_.certificate, clock_.now(), wire::serialize(body)));
  }
  Result<Bytes> deposit(const wire::Signed& descriptor, const wire::KeyPackage& package) {
    wire::RegistryRequest request;
    *request.mutable_register_function() = descriptor;
    *request.mutable_content_key() = package;
    return service_->handle_registry(signed_request(request));
  }
  wire::KeyPackage package(const wire::Descriptor& descriptor, const crypto::SigningKey& signer,
                           const wire::ContentKey& key) {
    return must(wire::seal_content_key(signer, descriptor, seal_key(), key));
  }
  void deposit(std::uint64_t version = 1) {
    must(deposit(signed_descriptor("plates/read", version), package(descriptor("plates/read", version), owner_, key_)));
  }
  Result<wire::InstanceKeysReply> ask(const wire::InstanceStatement& statement) {
    return authority_->instance_keys(instance_request(worker_, statement), "west");
  }
  /// Whether the authority gives the content key to an instance of the registered bundle.
  bool releases() { return must(ask(statement(instance_, worker_))).has_content_key(); }
  /// The secrets that are sealed in the log as content keys.
  std::size_t sealed_in_log() {
    const auto operations = must(log_->read(0, 1000));
    return static_cast<std::size_t>(std::ranges::count_if(operations, [](const Operation& operation) {
      return operation.kind == "ContentKeyMade" && operation.payload.size() > 40;
    }));
  }

  NodeKeys master_{.name = "m"};
  NodeKeys worker_{.name = "w"};
  HolderKeys instance_{.name = "i"};
  wire::ContentKey key_ = crypto::random_secret<crypto::kAeadKeySize>();
};

TEST_F(ContentKeys, GoFromTheOwnerToAnAttestedInstanceSealed) {
  deposit();
  const auto reply = must(ask(statement(instance_, worker_)));
  ASSERT_TRUE(reply.has_content_key());
  const auto scope = must(wire::verify_key_package(authority_->public_key(), reply.content_key(), clock_.now()));
  EXPECT_EQ(scope.role(), wire::KEY_ROLE_CONTENT);
  EXPECT_EQ(scope.holder(), instance_.name);
  EXPECT_EQ(scope.function(), "plates/read");
  EXPECT_EQ(scope.measurement(), kFunctionMeasurement);
  EXPECT_EQ(scope.recipient_key(), bytes_of(instance_.seal));
  const auto secret = must(crypto::hpke_open(instance_.seal, as_bytes(reply.content_key().scope()), {},
                                             as_bytes(reply.content_key().sealed())));
  EXPECT_TRUE(crypto::equal_constant_time(secret.span(), key_.span()));
  EXPECT_FALSE(crypto::hpke_open(worker_.proxy_seal, as_bytes(reply.content_key().scope()), {},
                                 as_bytes(reply.content_key().sealed())))
      << "the proxy passes it on";
}

TEST_F(ContentKeys, LieSealedOnDiskAndOutliveARestart) {
  deposit();
  const auto seal = seal_key();
  start();
  EXPECT_EQ(seal_key(), seal);
  EXPECT_TRUE(releases());
  for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
    const auto content = must(read_file(entry.path()));
    const auto found = std::ranges::search(content, key_.span());
    EXPECT_TRUE(found.empty()) << entry.path();
  }
}

TEST_F(ContentKeys, AreTakenFromTheOwnerAlone) {
  const auto stranger = crypto::SigningKey::generate();
  EXPECT_THAT(refusal(deposit(signed_descriptor(), package(descriptor(), stranger, key_))),
              Refuses(Code::kUnauthenticated, "the content key of plates/read"));
  must(registry_->register_function("west", signed_descriptor()));
  EXPECT_FALSE(releases());

  // Somebody else's descriptor of the name, with a key that fits it.
  auto theirs = descriptor("plates/read", 2);
  theirs.set_owner_key(bytes_of(stranger));
  EXPECT_THAT(refusal(deposit(wire::sign(stranger, theirs), package(theirs, stranger, key_))),
              Refuses(Code::kPermissionDenied, "belongs to another owner"));
  EXPECT_FALSE(releases());
}

TEST_F(ContentKeys, AreTakenForTheRegisteredBundleAlone) {
  auto other = descriptor();
  other.set_measurement(std::string(32, 'n'));
  EXPECT_THAT(refusal(deposit(signed_descriptor(), package(other, owner_, key_))),
              Refuses(Code::kPermissionDenied, "measurement"));
  EXPECT_THAT(refusal(deposit(signed_descriptor(), package(descriptor("plates/read", 2), owner_, key_))),
              Refuses(Code::kPermissionDenied, "for version 2"));
  EXPECT_THAT(refusal(deposit(signed_descriptor(), package(descriptor("plates/write"), owner_, key_))),
              Refuses(Code::kPermissionDenied, "plates/write"));
  deposit();
  deposit(); // once more is no error
  const auto another = crypto::random_secret<crypto::kAeadKeySize>();
  EXPECT_THAT(refusal(deposit(signed_descriptor(), package(descriptor(), owner_, another))),
              Refuses(Code::kAlreadyExists, "raise the version"));
}

TEST_F(ContentKeys, GoToNoOtherBundleFunctionOrRole) {
  deposit();
  auto changed = statement(instance_, worker_);
  changed.set_measurement(std::string(32, 'n'));
  EXPECT_THAT(refusal(ask(changed)), Refuses(Code::kPermissionDenied, "another measurement"));
  must(registry_->register_function("west", signed_descriptor("plates/write")));
  EXPECT_FALSE(must(ask(statement(instance_, worker_, "plates/write"))).has_content_key());
  auto gateway = statement(instance_, worker_, "");
  gateway.set_role(wire::ROLE_GATEWAY);
  EXPECT_FALSE(must(ask(gateway)).has_content_key());
}

TEST_F(ContentKeys, GoToNoClassBelowTheFunctions) {
  attestation::test::SnpWorld amd;
  policy_ = must(attestation::Policy::parse_text("tee_kinds: {software: software, snp: hardware}", "policy"));
  policy_hash_ = Bytes(32, 2);
  endorsements_ = [&]() -> Result<std::vector<attestation::Endorsements>> { return std::vector{amd.endorsements()}; };
  verifiers_.push_back(std::make_unique<attestation::SnpVerifier>(amd.verifier()));
  start();
  NodeKeys hard{.name = "hard"};
  auto request = node_request(hard, wire::ROLE_WORKER, token(wire::ROLE_WORKER));
  auto& proxy = *request.mutable_proxy();
  const auto data = attestation::report_data("proxy", as_bytes(proxy.nonce()),
                                             {as_bytes(proxy.verify_key()), as_bytes(proxy.seal_key())});
  amd.report.put(0x050, BytesView(data));
  *proxy.mutable_evidence() = amd.evidence();
  hard.proxy_certificate = must(authority_->enrol(request)).proxy_certificate();

  auto hardware = descriptor();
  hardware.clear_assurance();
  hardware.add_assurance("hardware");
  hardware.add_tee_kinds("snp");
  must(deposit(wire::sign(owner_, hardware), package(hardware, owner_, key_)));
  EXPECT_THAT(refusal(ask(statement(instance_, worker_))),
              Refuses(Code::kPermissionDenied, "may not be processed with assurance class 'software'"));
  const auto reply = must(authority_->instance_keys(instance_request(hard, statement(instance_, hard)), "west"));
  EXPECT_TRUE(reply.has_content_key());
}

TEST_F(ContentKeys, AreErasedWithTheirVersion) {
  deposit(1);
  EXPECT_EQ(must(authority_->erase_retired_keys()), 0U);
  deposit(2);
  EXPECT_EQ(must(authority_->erase_retired_keys()), 1U);
  EXPECT_EQ(sealed_in_log(), 1U);
  EXPECT_TRUE(releases());
  must(registry_->register_function("west", signed_descriptor("plates/read", 3))); // without confidential files
  EXPECT_EQ(must(authority_->erase_retired_keys()), 1U);
  EXPECT_EQ(sealed_in_log(), 0U);
}

TEST_F(ContentKeys, AreErasedWithTheFunctionAndComeBackWithIt) {
  deposit();
  must(registry_->unregister_function("west", "plates/read"));
  EXPECT_EQ(must(authority_->erase_retired_keys()), 1U);
  EXPECT_EQ(sealed_in_log(), 0U);
  start();
  EXPECT_FALSE(releases());
  deposit();
  EXPECT_TRUE(releases());
}

} // namespace
} // namespace tcfdl::service_manager
