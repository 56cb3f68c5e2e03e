#include "function_manager/function_manager.hpp"

#include "base/encoding.hpp"
#include "base/file.hpp"
#include "function_manager/tests/fakes.hpp"
#include "wire/confidential.hpp"
#include "wire/signed.hpp"

#include <gmock/gmock.h>

namespace tcfdl::function_manager {
namespace {

constexpr UnixSeconds kNow = 1'800'000'000;

class ManualClock final : public Clock {
public:
  [[nodiscard]] UnixSeconds now() const override { return time; }
  UnixSeconds time = kNow;
};

template <class T> T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().to_string());
  return *std::move(result);
}
void must(const Status& status) {
  if (!status) throw std::runtime_error(status.error().to_string());
}

template <class T> Error refusal(const Result<T>& result) {
  EXPECT_FALSE(result) << "this must be refused";
  return result ? Error(Code::kUnknown, "") : result.error();
}

// NOLINTNEXTLINE(readability-identifier-naming): matchers are named as GoogleMock names its own.
MATCHER_P2(Refuses, code, words, "") {
  *result_listener << arg.to_string();
  return arg.code() == code && arg.message().find(words) != std::string::npos;
}

class Functions : public testing::Test {
protected:
  Functions() { start(); }

  void start() {
    manager_.reset();
    artefacts_.reset();
    database_.reset();
    database_ = must(database::Database::open(directory_.path() / "master.db"));
    artefacts_ =
        must(database::FileStore::open(*database_, clock_, artefact_settings(directory_.path() / "artefacts")));
    manager_ = must(FunctionManager::open(*database_, *artefacts_, registry_, clock_, "west"));
  }

  static Bytes manifest(const std::vector<std::string>& contents = {"program"}) {
    wire::Manifest result;
    result.command = {"bin/0"};
    for (std::size_t i = 0; i < contents.size(); ++i) {
      result.files.push_back({.path = fmt::format("bin/{}", i),
                              .sha256 = to_hex(crypto::sha256(as_bytes(contents[i]))),
                              .size = contents[i].size(),
                              .executable = true});
    }
    return wire::write_manifest(result);
  }
  wire::Descriptor descriptor(std::uint64_t version = 1, const Bytes& measured = manifest()) const {
    wire::Descriptor result;
    result.set_name("plates/read");
    result.set_version(version);
    result.set_owner_key(wire::field(owner_.public_key().bytes()));
    result.set_measurement(wire::field(wire::measure_manifest(measured)));
    result.add_tee_kinds("software");
    result.add_assurance("software");
    result.add_providers("west");
    return result;
  }
  Deployment deployment(const wire::Descriptor& described, const Bytes& of = manifest(),
                        const std::string& settings = "") const {
    return {.descriptor = wire::sign(owner_, described), .manifest = of, .settings = settings};
  }
  FunctionRecord deploy(std::uint64_t version = 1, const std::string& settings = "") {
    must(manager_->put_file(as_bytes("program")));
    return must(manager_->deploy(deployment(descriptor(version), manifest(), settings))).record;
  }

  TemporaryDirectory directory_;
  ManualClock clock_;
  FakeRegistry registry_;
  crypto::SigningKey owner_ = crypto::SigningKey::generate();
  std::unique_ptr<database::Database> database_;
  std::unique_ptr<database::FileStore> artefacts_;
  std::unique_ptr<FunctionManager> manager_;
};

TEST_F(Functions, DeployedOnesAreRegisteredAndOutliveARestart) {
  const auto record = deploy(1, R"({"scale":{"min":0,"max":3}})");
  EXPECT_TRUE(record.registered);
  EXPECT_EQ(registry_.held.at("plates/read"), 1U);
  start();
  const auto again = must(manager_->get("plates/read"));
  EXPECT_EQ(again.descriptor.version(), 1U);
  EXPECT_EQ(again.manifest, manifest());
  EXPECT_EQ(again.settings.scale, (Scale{0, 3}));
  EXPECT_EQ(again.created, kNow);
  EXPECT_THAT(must(manager_->list()), testing::SizeIs(1));
  EXPECT_THAT(refusal(manager_->get("nothing")), Refuses(Code::kNotFound, "nothing"));
}

TEST_F(Functions, KeysOfConfidentialFilesArePassedOnAndKeptSealed) {
  wire::Manifest files;
  files.command = {"bin/0"};
  const std::string program = "program";
  const std::string model(57, 'x');
  const auto entry = [](const std::string& path, const std::string& content) {
    return wire::ManifestFile{
        .path = path, .sha256 = to_hex(crypto::sha256(as_bytes(content))), .size = content.size()};
  };
  files.files = {entry("bin/0", program), entry("model", model)};
  files.files[1].confidential = wire::Plaintext{.digest = std::string(64, 'a'), .size = 1};
  must(manager_->put_file(as_bytes(program)));
  must(manager_->put_file(as_bytes(model)));
  const auto measured = wire::write_manifest(files);
  auto offered = deployment(descriptor(1, measured), measured);
  EXPECT_THAT(refusal(manager_->deploy(offered)), Refuses(Code::kInvalidArgument, "(model), and their content key"));

  const auto authority = crypto::HpkePrivateKey::generate();
  const auto seal = [&](std::uint64_t version) {
    return must(wire::seal_content_key(owner_, descriptor(version, measured), authority.public_key().bytes(), {}));
  };
  offered.content_key = seal(2);
  EXPECT_THAT(refusal(manager_->deploy(offered)), Refuses(Code::kPermissionDenied, "for version 2"));
  EXPECT_EQ(registry_.calls, 0);
  offered.content_key = seal(1);
  must(manager_->deploy(offered));
  ASSERT_TRUE(registry_.last_content_key);
  EXPECT_EQ(registry_.last_content_key->sealed(), offered.content_key->sealed());

  // The registry lost the function: it gets the key once more.
  start();
  registry_.held.clear();
  registry_.last_content_key.reset();
  must(manager_->renew());
  ASSERT_TRUE(registry_.last_content_key);
  EXPECT_EQ(registry_.last_content_key->signature(), offered.content_key->signature());
  must(manager_->remove("plates/read"));
  EXPECT_TRUE(must(manager_->list()).empty());
}

TEST_F(Functions, AnExistingNameIsUpdatedNotDuplicated) {
  deploy(1, R"({"scale":{"min":2,"max":3}})");
  clock_.time += 60;
  const auto updated = deploy(2);
  EXPECT_EQ(updated.created, kNow);
  EXPECT_EQ(updated.updated, kNow + 60);
  EXPECT_EQ(updated.settings.scale, (Scale{2, 3})) << "settings stay where none are given";
  EXPECT_THAT(must(manager_->list()), testing::SizeIs(1));
  EXPECT_EQ(registry_.held.at("plates/read"), 2U);
}

TEST_F(Functions, AnotherProgramIsOnTrialUntilItIsPromoted) {
  deploy(1);
  const auto other = manifest({"program", "more"});
  must(manager_->put_file(as_bytes("more")));
  const auto tried = deployment(descriptor(2, other), other, R"({"health":{"trial_ms":7}})");
  EXPECT_TRUE(must(manager_->deploy(tried)).on_trial);
  EXPECT_EQ(must(manager_->get("plates/read")).descriptor.version(), 1U);
  EXPECT_EQ(registry_.held.at("plates/read"), 1U);
  EXPECT_EQ(registry_.staged.at("plates/read"), 2U);
  start();
  const auto candidates = must(manager_->candidates());
  ASSERT_THAT(candidates, testing::SizeIs(1));
  EXPECT_EQ(candidates[0].settings.health.trial_ms, 7U);
  EXPECT_EQ(must(manager_->remove_unused_files(0)), 0U) << "its files are needed";
  EXPECT_THAT(refusal(manager_->promote("plates/read", 3)), Refuses(Code::kNotFound, "not on trial"));
  EXPECT_EQ(must(manager_->promote("plates/read", 2)).descriptor.version(), 2U);
  EXPECT_EQ(registry_.held.at("plates/read"), 2U);
  EXPECT_EQ(must(manager_->get("plates/read")).manifest, other);
  EXPECT_THAT(must(manager_->candidates()), testing::IsEmpty());
}

TEST_F(Functions, AVersionThatIsGivenUpLeavesTheOneBefore) {
  deploy(1);
  const auto other = manifest({"program", "more"});
  must(manager_->put_file(as_bytes("more")));
  const auto tried = deployment(descriptor(2, other), other);
  must(manager_->deploy(tried));
  must(manager_->give_up("plates/read", 2, "it ended"));
  EXPECT_THAT(registry_.staged, testing::IsEmpty());
  EXPECT_EQ(must(manager_->get("plates/read")).descriptor.version(), 1U);
  const auto rollback = must(manager_->rollback("plates/read"));
  ASSERT_TRUE(rollback);
  EXPECT_EQ(rollback->version, 2U);
  EXPECT_EQ(rollback->reason, "it ended");
  EXPECT_EQ(rollback->time, clock_.now());
  EXPECT_THAT(refusal(manager_->promote("plates/read", 2)), Refuses(Code::kNotFound, "not on trial"));
  EXPECT_THAT(refusal(manager_->deploy(deployment(descriptor(1)))), Refuses(Code::kFailedPrecondition, "older"));
  EXPECT_TRUE(must(manager_->deploy(tried)).on_trial) << "the same once more";
  EXPECT_FALSE(must(manager_->rollback("plates/read")));
  must(manager_->promote("plates/read", 2));
}

TEST_F(Functions, NothingIsTriedWhileTheRegistryIsSilent) {
  deploy(1);
  const auto other = manifest({"program", "more"});
  must(manager_->put_file(as_bytes("more")));
  registry_.error = Error(Code::kUnavailable, "no answer");
  EXPECT_THAT(refusal(manager_->deploy(deployment(descriptor(2, other), other))),
              Refuses(Code::kUnavailable, "the version before stays"));
  EXPECT_EQ(must(manager_->get("plates/read")).descriptor.version(), 1U);
  EXPECT_THAT(must(manager_->candidates()), testing::IsEmpty());
}

TEST_F(Functions, SettingsChangeWithoutANewVersion) {
  deploy();
  EXPECT_EQ(deploy(1, R"({"scale":{"min":5,"max":6}})").settings.scale, (Scale{5, 6}));
}

TEST_F(Functions, AreScaledWithoutADeploymentAndStaySo) {
  deploy(1, R"({"scale":{"min":1,"max":2},"labels":{"zone":"north"}})");
  EXPECT_EQ(must(manager_->set_scale("plates/read", {0, 9, 250})).settings.scale, (Scale{0, 9, 250}));
  EXPECT_THAT(refusal(manager_->set_scale("plates/read", {3, 2})), Refuses(Code::kInvalidArgument, "min is 3"));
  EXPECT_THAT(refusal(manager_->set_scale("nothing", {0, 1})), Refuses(Code::kNotFound, "nothing"));
  start();
  const auto settings = must(manager_->get("plates/read")).settings;
  EXPECT_EQ(settings.scale, (Scale{0, 9, 250}));
  EXPECT_EQ(settings.labels.at("zone"), "north");
}

TEST_F(Functions, LowerVersionsOtherContentAndOtherOwnersAreRefused) {
  deploy(3);
  EXPECT_THAT(refusal(manager_->deploy(deployment(descriptor(2)))),
              Refuses(Code::kFailedPrecondition, "version 2 of plates/read is older than version 3"));
  auto other = descriptor(3);
  other.set_concurrency(8);
  EXPECT_THAT(refusal(manager_->deploy(deployment(other))), Refuses(Code::kAlreadyExists, "raise the version"));
  const auto thief = crypto::SigningKey::generate();
  auto stolen = descriptor(4);
  stolen.set_owner_key(wire::field(thief.public_key().bytes()));
  const Deployment theft{.descriptor = wire::sign(thief, stolen), .manifest = manifest(), .settings = ""};
  EXPECT_THAT(refusal(manager_->deploy(theft)), Refuses(Code::kPermissionDenied, "another owner"));
  must(manager_->remove("plates/read"));
  EXPECT_THAT(refusal(manager_->deploy(theft)), Refuses(Code::kPermissionDenied, "another owner"));
  EXPECT_THAT(refusal(manager_->deploy(deployment(descriptor(2)))), Refuses(Code::kFailedPrecondition, "older"));
  deploy(3);
}

TEST_F(Functions, MissingFilesAreNamed) {
  const auto of = manifest({"program", "library"});
  const auto wanted = deployment(descriptor(1, of), of);
  EXPECT_THAT(refusal(manager_->deploy(wanted)), Refuses(Code::kFailedPrecondition, "lacks 2 of 2"));
  must(manager_->put_file(as_bytes("program")));
  const auto error = refusal(manager_->deploy(wanted));
  EXPECT_THAT(error, Refuses(Code::kFailedPrecondition, "upload bin/1 ("));
  EXPECT_THAT(error.message(), testing::Not(testing::HasSubstr("bin/0")));
  EXPECT_EQ(registry_.calls, 0);
  must(manager_->put_file(as_bytes("library")));
  EXPECT_TRUE(manager_->deploy(wanted));
}

TEST_F(Functions, ManifestsMustBeTheMeasuredOnesWithTrueSizes) {
  must(manager_->put_file(as_bytes("program")));
  EXPECT_THAT(refusal(manager_->deploy(deployment(descriptor(), manifest({"other"})))),
              Refuses(Code::kInvalidArgument, "measures"));
  const Bytes garbage = to_bytes("garbage");
  EXPECT_THAT(refusal(manager_->deploy(deployment(descriptor(1, garbage), garbage))),
              Refuses(Code::kInvalidArgument, "manifest"));
  auto wrong = must(wire::parse_manifest(manifest()));
  wrong.files[0].size = 1;
  const auto text = wire::write_manifest(wrong);
  EXPECT_THAT(refusal(manager_->deploy(deployment(descriptor(1, text), text))),
              Refuses(Code::kFailedPrecondition, "other sizes"));
  EXPECT_THAT(must(manager_->list()), testing::IsEmpty());
}

TEST_F(Functions, ForgedDescriptorsForeignClustersAndBadSettingsAreRefused) {
  must(manager_->put_file(as_bytes("program")));
  auto forged = deployment(descriptor());
  forged.descriptor = wire::sign(crypto::SigningKey::generate(), descriptor());
  EXPECT_THAT(refusal(manager_->deploy(forged)), Refuses(Code::kUnauthenticated, ""));
  auto foreign = descriptor();
  foreign.set_providers(0, "east");
  EXPECT_THAT(refusal(manager_->deploy(deployment(foreign))), Refuses(Code::kPermissionDenied, "cluster west"));
  EXPECT_THAT(refusal(manager_->deploy(deployment(descriptor(), manifest(), "{\"x\":1}"))),
              Refuses(Code::kInvalidArgument, "settings"));
  EXPECT_EQ(registry_.calls, 0);
}

TEST_F(Functions, ARefusalByTheRegistryLeavesNothingBehind) {
  must(manager_->put_file(as_bytes("program")));
  registry_.error = Error(Code::kPermissionDenied, "another owner holds the name");
  EXPECT_THAT(refusal(manager_->deploy(deployment(descriptor()))), Refuses(Code::kPermissionDenied, "another owner"));
  EXPECT_THAT(must(manager_->list()), testing::IsEmpty());
  registry_.error.reset();
  deploy(1);
  registry_.error = Error(Code::kFailedPrecondition, "version 9 is registered");
  EXPECT_FALSE(manager_->deploy(deployment(descriptor(2))));
  EXPECT_EQ(must(manager_->get("plates/read")).descriptor.version(), 1U);
  registry_.error.reset();
  EXPECT_TRUE(manager_->deploy(deployment(descriptor(2)))) << "the refused version was not remembered";
}

TEST_F(Functions, WhatCouldNotBeRegisteredIsRegisteredWithALaterRenewal) {
  deploy(1);
  registry_.error = Error(Code::kUnavailable, "no route");
  const auto record = deploy(2);
  EXPECT_FALSE(record.registered);
  EXPECT_THAT(record.registration_error, testing::HasSubstr("no route"));
  auto renewal = must(manager_->renew());
  EXPECT_THAT(renewal.failed, testing::SizeIs(1));
  registry_.error.reset();
  start();
  renewal = must(manager_->renew());
  EXPECT_THAT(renewal.registered, testing::ElementsAre("plates/read")) << "the registry holds version 1 only";
  EXPECT_EQ(registry_.held.at("plates/read"), 2U);
  EXPECT_TRUE(must(manager_->get("plates/read")).registered);
  EXPECT_THAT(must(manager_->renew()).registered, testing::IsEmpty());
}

TEST_F(Functions, ARenewalRegistersWhatTheRegistryLost) {
  deploy(1);
  registry_.held.clear();
  EXPECT_THAT(must(manager_->renew()).registered, testing::ElementsAre("plates/read"));
  EXPECT_THAT(registry_.renewed, testing::ElementsAre("plates/read"));
  registry_.renewal_error = Error(Code::kUnavailable, "no route");
  EXPECT_THAT(refusal(manager_->renew()), Refuses(Code::kUnavailable, "no route"));
}

TEST_F(Functions, ALateRefusalIsKeptWithTheFunction) {
  registry_.error = Error(Code::kUnavailable, "no route");
  deploy(1);
  registry_.error = Error(Code::kPermissionDenied, "another owner");
  EXPECT_THAT(must(manager_->renew()).failed, testing::SizeIs(1));
  EXPECT_THAT(must(manager_->get("plates/read")).registration_error, testing::HasSubstr("another owner"));
}

TEST_F(Functions, RemovalsAreToldToTheRegistryWhenItIsInReach) {
  deploy(1);
  registry_.error = Error(Code::kUnavailable, "no route");
  must(manager_->remove("plates/read"));
  EXPECT_THAT(refusal(manager_->remove("plates/read")), Refuses(Code::kNotFound, "plates/read"));
  EXPECT_TRUE(registry_.held.contains("plates/read"));
  registry_.error.reset();
  start();
  must(manager_->renew());
  EXPECT_FALSE(registry_.held.contains("plates/read"));
  const auto calls = registry_.calls;
  must(manager_->renew());
  EXPECT_EQ(registry_.calls, calls + 1) << "nothing is pending any more";
}

TEST_F(Functions, RedeployingEndsAPendingUnregistration) {
  deploy(1);
  registry_.error = Error(Code::kUnavailable, "no route");
  must(manager_->remove("plates/read"));
  registry_.error.reset();
  deploy(1);
  must(manager_->renew());
  EXPECT_TRUE(registry_.held.contains("plates/read"));
}

TEST_F(Functions, UnusedFilesAreRemovedOnceTheyAreOld) {
  deploy(1);
  const auto unused = must(manager_->put_file(as_bytes("unused")));
  EXPECT_EQ(must(manager_->remove_unused_files(60)), 0U);
  clock_.time += 60;
  EXPECT_EQ(must(manager_->remove_unused_files(60)), 1U);
  EXPECT_FALSE(manager_->get_file(unused));
  EXPECT_TRUE(manager_->get_file(to_hex(crypto::sha256(as_bytes("program")))));
}

} // namespace
} // namespace tcfdl::function_manager
