#include "service_manager/tests/world.hpp"
#include "wire/descriptor.hpp"

namespace tcfdl::service_manager {
namespace {

class Registering : public World {
protected:
  Registering() {
    enrol(west_, wire::ROLE_MASTER, "west");
    enrol(east_, wire::ROLE_MASTER, "east");
  }
  wire::RegistryState renew(const NodeKeys& master, const std::vector<std::string>& functions = {},
                            std::int64_t lifetime = 30) {
    wire::RenewCluster request;
    request.set_lifetime(lifetime);
    request.mutable_link()->set_host("10.0.0.1");
    request.mutable_link()->set_port(4222);
    for (const auto& function : functions) request.add_functions(function);
    return must(registry_->renew(master.certificate, request));
  }
  std::vector<std::string> providers(const std::string& function = "", const std::string& cluster = "") {
    wire::Inquire inquiry;
    inquiry.set_function(function);
    inquiry.set_cluster(cluster);
    std::vector<std::string> found;
    const auto inquired = must(registry_->inquire(inquiry));
    for (const auto& provider : inquired.providers()) {
      const auto stated = must(wire::verify_descriptor(provider.descriptor()));
      found.push_back(fmt::format("{}@{} {}", stated.name(), provider.cluster(), stated.version()));
    }
    return found;
  }

  NodeKeys west_{.name = "m"};
  NodeKeys east_{.name = "m"};
};

TEST_F(Registering, LiveProvidersAreFoundByFunctionAndCluster) {
  renew(west_);
  renew(east_);
  must(registry_->register_function("west", signed_descriptor()));
  must(registry_->register_function("east", signed_descriptor()));
  must(registry_->register_function("east", signed_descriptor("echo")));
  EXPECT_THAT(providers(), testing::ElementsAre("echo@east 1", "plates/read@east 1", "plates/read@west 1"));
  EXPECT_THAT(providers("plates/read"), testing::SizeIs(2));
  EXPECT_THAT(providers("plates/read", "west"), testing::ElementsAre("plates/read@west 1"));
  EXPECT_THAT(providers("nothing"), testing::IsEmpty());
  wire::Inquire inquiry;
  inquiry.set_function("echo");
  const auto inquired = must(registry_->inquire(inquiry));
  ASSERT_EQ(inquired.clusters_size(), 1);
  EXPECT_EQ(inquired.clusters(0).cluster(), "east");
  EXPECT_EQ(inquired.clusters(0).link().port(), 4222U);
  EXPECT_EQ(inquired.clusters(0).expires(), kNow + 30);
  inquiry.clear_function();
  inquiry.set_limit(1);
  EXPECT_EQ(must(registry_->inquire(inquiry)).providers_size(), 1);
}

TEST_F(Registering, OneRenewalKeepsAClusterAndAllItsFunctions) {
  renew(west_);
  must(registry_->register_function("west", signed_descriptor()));
  must(registry_->register_function("west", signed_descriptor("echo")));
  clock_.advance(29);
  EXPECT_THAT(providers(), testing::SizeIs(2));
  renew(west_);
  clock_.advance(29);
  EXPECT_THAT(providers(), testing::SizeIs(2));
  clock_.advance(1);
  EXPECT_THAT(providers(), testing::IsEmpty());
  EXPECT_EQ(must(registry_->inquire({})).clusters_size(), 0);
  renew(west_);
  EXPECT_THAT(providers(), testing::SizeIs(2));
}

TEST_F(Registering, ARenewalTellsWhichFunctionsAreMissing) {
  must(registry_->register_function("west", signed_descriptor()));
  must(registry_->register_function("east", signed_descriptor("echo")));
  EXPECT_THAT(renew(west_, {"plates/read", "echo", "new"}).missing(), testing::ElementsAre("echo", "new"));
}

TEST_F(Registering, RenewalsHaveBounds) {
  wire::RenewCluster request;
  EXPECT_THAT(refusal(registry_->renew(west_.certificate, request)), Refuses(Code::kInvalidArgument, "seconds"));
  request.set_lifetime(std::int64_t{1} << 40);
  EXPECT_THAT(refusal(registry_->renew(west_.certificate, request)), Refuses(Code::kInvalidArgument, "seconds"));
  request.set_lifetime(10);
  request.mutable_link()->set_port(70'000);
  EXPECT_THAT(refusal(registry_->renew(west_.certificate, request)), Refuses(Code::kInvalidArgument, "link"));
}

TEST_F(Registering, ANameBelongsToItsFirstOwner) {
  must(registry_->register_function("west", signed_descriptor()));
  auto stolen = descriptor("plates/read", 9);
  const auto thief = crypto::SigningKey::generate();
  stolen.set_owner_key(bytes_of(thief));
  const auto refused = refusal(registry_->register_function("west", wire::sign(thief, stolen)));
  EXPECT_THAT(refused, Refuses(Code::kPermissionDenied, "another owner"));
  EXPECT_THAT(refused, Refuses(Code::kPermissionDenied, wire::fingerprint(owner_.public_key().bytes())));
  must(registry_->unregister_function("west", "plates/read"));
  EXPECT_THAT(refusal(registry_->register_function("west", wire::sign(thief, stolen))),
              Refuses(Code::kPermissionDenied, "another owner"));
  EXPECT_EQ(must(wire::verify_descriptor(must(registry_->current_descriptor("plates/read")))).version(), 1U);
}

TEST_F(Registering, ForgedDescriptorsAreRefused) {
  const auto forger = crypto::SigningKey::generate();
  EXPECT_THAT(refusal(registry_->register_function("west", wire::sign(forger, descriptor()))),
              Refuses(Code::kUnauthenticated, ""));
}

TEST_F(Registering, LowerVersionsAndOtherContentAreRefused) {
  renew(west_);
  renew(east_);
  must(registry_->register_function("west", signed_descriptor("echo", 4)));
  must(registry_->register_function("east", signed_descriptor("echo", 5)));
  EXPECT_THAT(providers("echo"), testing::ElementsAre("echo@east 5", "echo@west 5"));
  const auto older = refusal(registry_->register_function("west", signed_descriptor("echo", 4)));
  EXPECT_THAT(older, Refuses(Code::kFailedPrecondition, "version 4"));
  EXPECT_THAT(older, Refuses(Code::kFailedPrecondition, "version 5"));
  auto other = descriptor("echo", 5);
  other.set_concurrency(9);
  EXPECT_THAT(refusal(registry_->register_function("west", wire::sign(owner_, other))),
              Refuses(Code::kAlreadyExists, "raise the version"));
  EXPECT_TRUE(registry_->register_function("west", signed_descriptor("echo", 5))) << "with another signature";
}

TEST_F(Registering, AVersionOnTrialIsItsClustersAloneUntilItIsRegistered) {
  renew(west_);
  const auto staged = [&](const std::string& cluster) {
    const auto found = must(registry_->staged_descriptor(cluster, "echo"));
    return found ? must(wire::verify_descriptor(*found)).version() : 0;
  };
  EXPECT_THAT(refusal(registry_->stage_function("west", signed_descriptor("echo", 2))),
              Refuses(Code::kNotFound, "no function echo is registered"));
  must(registry_->register_function("west", signed_descriptor("echo", 2)));
  EXPECT_FALSE(must(registry_->stage_function("west", signed_descriptor("echo", 2)))) << "it is in force";
  EXPECT_THAT(refusal(registry_->stage_function("west", signed_descriptor("echo", 1))),
              Refuses(Code::kFailedPrecondition, "older"));
  auto stolen = descriptor("echo", 9);
  const auto thief = crypto::SigningKey::generate();
  stolen.set_owner_key(bytes_of(thief));
  EXPECT_THAT(refusal(registry_->stage_function("west", wire::sign(thief, stolen))),
              Refuses(Code::kPermissionDenied, "another owner"));

  EXPECT_TRUE(must(registry_->stage_function("west", signed_descriptor("echo", 3))));
  EXPECT_THAT(providers("echo"), testing::ElementsAre("echo@west 2"));
  EXPECT_EQ(staged("west"), 3U);
  EXPECT_EQ(staged("east"), 0U);
  must(registry_->withdraw_function("west", "echo"));
  must(registry_->withdraw_function("west", "echo"));
  EXPECT_EQ(staged("west"), 0U);
  EXPECT_TRUE(must(registry_->stage_function("west", signed_descriptor("echo", 4))));
  must(registry_->register_function("west", signed_descriptor("echo", 4)));
  EXPECT_THAT(providers("echo"), testing::ElementsAre("echo@west 4"));
  EXPECT_EQ(staged("west"), 0U);
}

TEST_F(Registering, TheDescriptorAdmitsTheProvidingClusters) {
  renew(west_);
  renew(east_);
  auto limited = descriptor();
  limited.clear_providers();
  limited.add_providers("west");
  EXPECT_THAT(refusal(registry_->register_function("east", wire::sign(owner_, limited))),
              Refuses(Code::kPermissionDenied, "east"));
  must(registry_->register_function("east", signed_descriptor()));
  limited.set_version(2);
  must(registry_->register_function("west", wire::sign(owner_, limited)));
  EXPECT_THAT(providers(), testing::ElementsAre("plates/read@west 2")) << "version 2 no longer admits east";
}

TEST_F(Registering, UnregisteringEndsTheProvision) {
  renew(west_);
  must(registry_->register_function("west", signed_descriptor()));
  EXPECT_THAT(refusal(registry_->unregister_function("east", "plates/read")), Refuses(Code::kNotFound, "east"));
  must(registry_->unregister_function("west", "plates/read"));
  EXPECT_THAT(providers(), testing::IsEmpty());
  EXPECT_THAT(refusal(registry_->unregister_function("west", "plates/read")), Refuses(Code::kNotFound, "west"));
}

TEST_F(Registering, AClusterHasABoundedNumberOfFunctions) {
  OperationLog log(*database_, clock_);
  Registry small(*database_, log, clock_, {.functions_per_cluster = 1});
  must(small.register_function("west", signed_descriptor("a")));
  EXPECT_THAT(refusal(small.register_function("west", signed_descriptor("b"))),
              Refuses(Code::kResourceExhausted, "west"));
  must(small.register_function("west", signed_descriptor("a", 2)));
}

TEST_F(Registering, UnknownFunctionsSayWhatToDo) {
  EXPECT_THAT(refusal(registry_->current_descriptor("x")), Refuses(Code::kNotFound, "no function x is registered"));
}

} // namespace
} // namespace tcfdl::service_manager
