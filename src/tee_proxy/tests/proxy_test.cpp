#include "tee_proxy/tests/proxy_world.hpp"

#include <thread>

namespace tcfdl::tee_proxy {
namespace {

TEST_F(TeeProxyTest, TurnsACallersCapsuleOnceItHasTheKey) {
  ASSERT_TRUE(proxy_->set_identity(identity()));
  const auto keys = entry(keys_request());
  ASSERT_TRUE(keys) << keys.error().to_string();
  EXPECT_EQ(keys->sender_key().scope(), "for the caller");
  const auto made = capsule();
  const auto turned = turn(made.capsule);
  ASSERT_TRUE(turned) << turned.error().to_string();
  EXPECT_TRUE(wire::verify_turned_capsule(turned->capsule(), authority_.key.public_key(), kNow));
  const auto opened = wire::open_capsule(crypto::DecryptionKey(authority_.f), turned->capsule());
  ASSERT_TRUE(opened);
  EXPECT_TRUE(crypto::equal_constant_time(opened->key.span(), made.secret.key.span()));
}

TEST_F(TeeProxyTest, GivesTheAnswerOfBeforeWhileTheAuthorityIsSilentToThoseWhoMayStillSend) {
  grants_ = {"echo"};
  ASSERT_TRUE(proxy_->set_identity(identity()));
  authority_.down = true;
  EXPECT_EQ(code_of(keys_request()), Code::kUnavailable) << "there is none";
  authority_.down = false;
  ASSERT_TRUE(entry(keys_request()));
  ASSERT_TRUE(start());
  ASSERT_TRUE(proxy_->set_identity(identity()));
  authority_.down = true;
  const auto kept = entry(keys_request());
  ASSERT_TRUE(kept) << kept.error().to_string();
  EXPECT_EQ(kept->sender_key().scope(), "for the caller");
  EXPECT_TRUE(turn(capsule().capsule));

  auto elsewhere = keys_request();
  elsewhere.mutable_sender_keys()->set_function("other");
  EXPECT_EQ(code_of(elsewhere), Code::kUnavailable);
  grants_ = {"other"};
  EXPECT_EQ(code_of(keys_request()), Code::kPermissionDenied);
  grants_ = {"echo"};
  clock_.time = kNow + 3599;
  EXPECT_TRUE(entry(keys_request()));
  const auto list = list_of(authority_.key, 1, [](wire::RevocationList& revoked) {
    auto& epoch = *revoked.add_epochs();
    epoch.set_function("echo");
    epoch.set_epoch(2);
  });
  ASSERT_TRUE(proxy_->set_revocations(list));
  EXPECT_FALSE(entry(keys_request())) << "of an epoch that is over";
}

TEST_F(TeeProxyTest, RefusesToTurnWithoutAKey) {
  EXPECT_EQ(turn(capsule().capsule).error().code(), Code::kFailedPrecondition) << "before it has an identity";
  EXPECT_EQ(code_of(keys_request()), Code::kFailedPrecondition);
  ASSERT_TRUE(proxy_->set_identity(identity()));
  EXPECT_EQ(turn(capsule().capsule).error().code(), Code::kFailedPrecondition);
  ASSERT_TRUE(entry(keys_request()));
  EXPECT_TRUE(turn(capsule().capsule));
  authority_.proxy_scope.set_epoch(2);
  EXPECT_EQ(turn(capsule().capsule).error().code(), Code::kFailedPrecondition) << "the key of another epoch";
}

TEST_F(TeeProxyTest, RefusesACapsuleThatAnotherSigned) {
  ASSERT_TRUE(proxy_->set_identity(identity()));
  ASSERT_TRUE(entry(keys_request()));
  auto forged = capsule().capsule;
  forged.mutable_sender_signature()->back() ^= 1;
  EXPECT_EQ(turn(forged).error().code(), Code::kUnauthenticated);
  anna_ = crypto::SigningKey::generate();
  EXPECT_EQ(turn(capsule().capsule).error().code(), Code::kFailedPrecondition) << "nobody with that key has asked";
}

TEST_F(TeeProxyTest, DoesNothingElseAtTheEntry) {
  ASSERT_TRUE(proxy_->set_identity(identity()));
  wire::ProxyRequest attach;
  attach.mutable_attach()->set_token("x");
  wire::ProxyRequest finish;
  *finish.mutable_finish() = capsule().capsule;
  for (const auto& request : {attach, finish, wire::ProxyRequest()}) {
    EXPECT_EQ(code_of(request), Code::kPermissionDenied);
  }
  EXPECT_EQ(authority_.asked, 0);
}

TEST_F(TeeProxyTest, AsksForNobodyWithoutACallersCertificate) {
  ASSERT_TRUE(proxy_->set_identity(identity()));
  const auto refused = [&](const wire::Signed& shown) {
    auto request = keys_request();
    *request.mutable_sender_keys()->mutable_certificate() = shown;
    return code_of(request);
  };
  const auto key = wire::field(anna_.public_key().bytes());
  EXPECT_EQ(refused(certificate("m", wire::ROLE_MASTER, key)), Code::kPermissionDenied);
  EXPECT_EQ(refused(wire::Signed()), Code::kUnauthenticated);
  auto forged = certificate("anna", wire::ROLE_CLIENT, key);
  forged.set_signature(wire::field(anna_.sign(as_bytes(forged.statement()))));
  EXPECT_EQ(refused(forged), Code::kUnauthenticated);
  clock_.time += 4000;
  EXPECT_EQ(refused(certificate("anna", wire::ROLE_CLIENT, key)), Code::kUnauthenticated);
  EXPECT_EQ(authority_.asked, 0);
}

TEST_F(TeeProxyTest, RefusesKeyPackagesThatAreNotItsOwnOrNotWhatItAskedFor) {
  ASSERT_TRUE(proxy_->set_identity(identity()));
  const auto good = authority_.proxy_scope;
  const auto refused = [&](auto bend) {
    authority_.proxy_scope = good;
    bend(authority_.proxy_scope);
    const auto code = code_of(keys_request());
    authority_.proxy_scope = good;
    EXPECT_FALSE(turn(capsule().capsule)) << "it was kept all the same";
    return code;
  };
  const auto other = crypto::HpkePrivateKey::generate();
  EXPECT_EQ(refused([&](auto& s) { s.set_recipient_key(wire::field(other.public_key().bytes())); }),
            Code::kPermissionDenied);
  EXPECT_EQ(refused([](auto& s) { s.set_holder("bert"); }), Code::kPermissionDenied);
  EXPECT_EQ(refused([](auto& s) { s.set_role(wire::KEY_ROLE_PROXY_PROCESSOR); }), Code::kPermissionDenied);
  EXPECT_EQ(refused([](auto& s) { s.set_expires(kNow); }), Code::kUnauthenticated);
  authority_.seal_to = wire::field(other.public_key().bytes());
  EXPECT_EQ(refused([](auto&) {}), Code::kUnauthenticated) << "sealed to another";
  authority_.seal_to = seal_key_;
  authority_.signer = &anna_;
  EXPECT_EQ(refused([](auto&) {}), Code::kUnauthenticated) << "not of the authority";
  authority_.signer = &authority_.key;
  authority_.silent = true;
  EXPECT_EQ(refused([](auto&) {}), Code::kInternal);
}

TEST_F(TeeProxyTest, TakesNoKeysToAFunctionWhoseOwnerOrVersionIsNotTheOneThatTheAuthorityStates) {
  ASSERT_TRUE(proxy_->set_identity(identity()));
  const auto refused = [&] {
    const auto code = code_of(keys_request());
    EXPECT_FALSE(turn(capsule().capsule)) << "the key was kept all the same";
    return code;
  };
  const auto thief = crypto::SigningKey::generate();
  authority_.descriptor = wire::sign(thief, descriptor(thief, 2));
  EXPECT_EQ(refused(), Code::kPermissionDenied);
  authority_.descriptor = wire::sign(thief, descriptor(owner_, 2));
  EXPECT_EQ(refused(), Code::kUnauthenticated);
  authority_.descriptor = wire::sign(owner_, descriptor(owner_, 1));
  EXPECT_EQ(refused(), Code::kFailedPrecondition) << "older than what is registered";
  state_owner(2);
  EXPECT_TRUE(entry(keys_request()));
}

TEST_F(TeeProxyTest, NoticesARegistryThatWasSetBackAlsoAfterARestart) {
  ASSERT_TRUE(proxy_->set_identity(identity()));
  state_owner(5);
  ASSERT_TRUE(entry(keys_request()));
  state_owner(4);
  EXPECT_EQ(code_of(keys_request()), Code::kFailedPrecondition);
  ASSERT_TRUE(start());
  ASSERT_TRUE(proxy_->set_identity(identity()));
  EXPECT_EQ(code_of(keys_request()), Code::kFailedPrecondition);
  owner_ = crypto::SigningKey::generate();
  state_owner(9);
  EXPECT_EQ(code_of(keys_request()), Code::kPermissionDenied) << "a name does not change hands";
}

TEST_F(TeeProxyTest, LaunchesOnlyWhatTheOwnerSigned) {
  const std::string manifest = R"({"command":["bin/a"],"files":[],"format":1})";
  const auto good = descriptor(owner_, 5, manifest);
  EXPECT_EQ(refusal(wire::sign(owner_, good), manifest).code(), Code::kFailedPrecondition) << "before it is enrolled";
  ASSERT_TRUE(proxy_->set_identity(identity()));
  const auto swapped = refusal(wire::sign(owner_, good), manifest + " ");
  EXPECT_THAT(swapped.message(),
              testing::HasSubstr("the manifest is not the one that the descriptor of echo measures"));
  const auto thief = crypto::SigningKey::generate();
  EXPECT_EQ(refusal(wire::sign(thief, good), manifest).code(), Code::kUnauthenticated);
  EXPECT_EQ(refusal(wire::Signed(), manifest).code(), Code::kInvalidArgument);
  auto elsewhere = good;
  elsewhere.clear_providers();
  elsewhere.add_providers("east");
  EXPECT_EQ(refusal(wire::sign(owner_, elsewhere), manifest).code(), Code::kPermissionDenied);

  state_owner(5);
  ASSERT_TRUE(entry(keys_request()));
  EXPECT_EQ(refusal(wire::sign(owner_, descriptor(owner_, 4, manifest)), manifest).code(), Code::kFailedPrecondition);
  EXPECT_EQ(refusal(wire::sign(thief, descriptor(thief, 6, manifest)), manifest).code(), Code::kPermissionDenied);
}

TEST_F(TeeProxyTest, StartsNothingInsideItsOwnEnclave) {
  const auto root = directory_.path() / "attestation";
  std::filesystem::create_directory(root);
  ASSERT_TRUE(write_file(root / "attestation_type", as_bytes("dcap")));
  ASSERT_TRUE(proxy_->set_identity(identity()));
  tee_ = {"gramine", root};
  ASSERT_TRUE(start());
  ASSERT_TRUE(proxy_->set_identity(identity()));
  const std::string manifest = "manifest";
  const auto refused = refusal(wire::sign(owner_, descriptor(owner_, 2, manifest)), manifest);
  EXPECT_EQ(refused.code(), Code::kUnimplemented);
  wire::LaunchInstance gateway;
  gateway.set_instance("gateway-node-1");
  gateway.set_role(wire::ROLE_GATEWAY);
  EXPECT_EQ(proxy_->launch(gateway).error().code(), Code::kUnimplemented);
}

TEST_F(TeeProxyTest, TakesNoIdentityOfOtherKeysOrRoles) {
  auto other = identity();
  *other.mutable_certificate() = certificate("p", wire::ROLE_PROXY, wire::field(anna_.public_key().bytes()), seal_key_);
  EXPECT_EQ(proxy_->set_identity(other).error().code(), Code::kUnauthenticated);
  *other.mutable_certificate() = certificate("p", wire::ROLE_PROXY, verify_key_, verify_key_);
  EXPECT_EQ(proxy_->set_identity(other).error().code(), Code::kUnauthenticated);
  *other.mutable_certificate() = certificate("p", wire::ROLE_WORKER, verify_key_, seal_key_);
  EXPECT_EQ(proxy_->set_identity(other).error().code(), Code::kPermissionDenied);
  other = identity();
  other.set_authority_key(wire::field(anna_.public_key().bytes()));
  EXPECT_EQ(proxy_->set_identity(other).error().code(), Code::kUnauthenticated);
  EXPECT_EQ(code_of(keys_request()), Code::kFailedPrecondition) << "it has none";
}

TEST_F(TeeProxyTest, KeepsItsKeysOverARestartAndBindsThemIntoItsEvidence) {
  ASSERT_TRUE(start());
  const auto enrolment = proxy_->enrolment();
  ASSERT_TRUE(enrolment);
  EXPECT_EQ(enrolment->verify_key(), verify_key_);
  EXPECT_EQ(enrolment->seal_key(), seal_key_);
  const auto report = wire::parse<wire::Signed>(enrolment->evidence().report());
  ASSERT_TRUE(report);
  const auto said = wire::parse<wire::SoftwareReport>(report->statement());
  ASSERT_TRUE(said);
  EXPECT_EQ(said->report_data(), wire::field(attestation::report_data("proxy", as_bytes(enrolment->nonce()),
                                                                      {as_bytes(verify_key_), as_bytes(seal_key_)})));
}

TEST_F(TeeProxyTest, ProvesThatItsEvidenceIsNotOfBefore) {
  const auto nonce = crypto::random_array<wire::kNonceSize>();
  const auto enrolment = proxy_->enrolment(nonce);
  ASSERT_TRUE(enrolment);
  EXPECT_EQ(enrolment->nonce(), wire::field(nonce));
  EXPECT_NE(proxy_->enrolment()->nonce(), wire::field(nonce));
  EXPECT_EQ(proxy_->enrolment(BytesView(nonce).first(16)).error().code(), Code::kInvalidArgument);
}

/// A process on the instances' socket.
class Process {
public:
  explicit Process(const wire::Address& address)
      : connection_(wire::connect(address, Deadline::after(std::chrono::seconds(10))).value()) {}
  Result<wire::ProxyReply> ask(const wire::ProxyRequest& request) {
    return wire::exchange<wire::ProxyReply>(*connection_, request, Deadline::after(std::chrono::seconds(10)));
  }

private:
  std::unique_ptr<wire::Connection> connection_;
};

TEST_F(TeeProxyTest, IntroducesItselfOnceToAProcess) {
  ASSERT_TRUE(proxy_->set_identity(identity()));
  const std::string nonce(wire::kNonceSize, 'n');
  wire::ProxyRequest introduce;
  introduce.mutable_introduce()->set_nonce(nonce);
  Process process(proxy_->address());
  const auto reply = process.ask(introduce);
  ASSERT_TRUE(reply && reply->has_introduced());
  const auto& introduced = reply->introduced();
  EXPECT_EQ(introduced.authority_key(), identity().authority_key());
  EXPECT_EQ(introduced.certificate().statement(), identity().certificate().statement());
  EXPECT_TRUE(wire::verify_labelled(crypto::VerifyKey::from_bytes(as_bytes(verify_key_)).value(), "ProxyIntroduced",
                                    {as_bytes(nonce), as_bytes(introduced.certificate().statement())},
                                    as_bytes(introduced.proof())));
  EXPECT_TRUE(process.ask(introduce)->has_error());
  EXPECT_FALSE(process.ask(introduce)) << "it asked twice";
  Process other(proxy_->address());
  introduce.mutable_introduce()->set_nonce("short");
  EXPECT_TRUE(other.ask(introduce)->has_error());
}

TEST_F(TeeProxyTest, TellsWhoeverWaitsOfANewerList) {
  ASSERT_TRUE(proxy_->set_identity(identity()));
  Process process(proxy_->address());
  wire::ProxyRequest watch;
  watch.mutable_watch()->set_at_once(true);
  const auto nothing = process.ask(watch);
  ASSERT_TRUE(nothing);
  EXPECT_FALSE(nothing->has_revocations());
  watch.mutable_watch()->set_at_once(false);
  Result<wire::ProxyReply> told = Error(Code::kUnknown, "");
  {
    const std::jthread waiting([&] { told = process.ask(watch); });
    ASSERT_TRUE(proxy_->set_revocations(list_of(authority_.key, 3, [](auto&) {})));
  }
  ASSERT_TRUE(told) << told.error().to_string();
  wire::Revocations known(authority_.key.public_key());
  ASSERT_TRUE(known.accept(told->revocations()));
  EXPECT_EQ(known.number(), 3U);
}

TEST_F(TeeProxyTest, CutsOffAProcessThatItDidNotLaunch) {
  ASSERT_TRUE(proxy_->set_identity(identity()));
  wire::ProxyRequest attach;
  attach.mutable_attach()->set_token("guessed");
  wire::ProxyRequest finish;
  *finish.mutable_finish() = capsule().capsule;
  for (const auto& request : {attach, keys_request(), finish, wire::ProxyRequest()}) {
    Process process(proxy_->address());
    const auto refused = process.ask(request);
    ASSERT_TRUE(refused) << refused.error().to_string();
    EXPECT_TRUE(refused->has_error());
    EXPECT_FALSE(process.ask(request)) << "one wrong word ends the connection";
  }
  EXPECT_EQ(authority_.asked, 0);
}

} // namespace
} // namespace tcfdl::tee_proxy
