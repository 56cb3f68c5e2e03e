#include "wire/known_names.hpp"

#include "base/file.hpp"
#include "wire/signed.hpp"

#include <gmock/gmock.h>

namespace tcfdl::wire {
namespace {

using testing::HasSubstr;

class Names : public testing::Test {
protected:
  Descriptor descriptor(std::uint64_t version, const std::string& name = "echo") const {
    Descriptor result;
    result.set_name(name);
    result.set_version(version);
    result.set_owner_key(field(owner_.public_key().bytes()));
    return result;
  }
  std::unique_ptr<KnownNames> open() const {
    auto names = KnownNames::open(file_, authority_);
    EXPECT_TRUE(names) << names.error().to_string();
    return names ? *std::move(names) : nullptr;
  }
  /// What the authority states while that version is in force.
  KeyScope stated(std::uint64_t version, const Descriptor& offered) const {
    KeyScope scope;
    scope.set_function(offered.name());
    scope.set_version(version);
    scope.set_owner(field(crypto::sha256(as_bytes(offered.owner_key()))));
    return scope;
  }
  Status accept(KnownNames& names, const Descriptor& offered) const {
    return names.accept(stated(offered.version(), offered), offered, sign(owner_, offered));
  }
  Code refusal(KnownNames& names, const Descriptor& offered) const {
    const auto accepted = accept(names, offered);
    EXPECT_FALSE(names.check(offered, sign(owner_, offered)));
    return accepted ? Code{} : accepted.error().code();
  }

  TemporaryDirectory directory_;
  std::filesystem::path file_ = directory_.path() / "names";
  Bytes authority_ = to_bytes("the authority's key");
  crypto::SigningKey owner_ = crypto::SigningKey::generate();
};

TEST_F(Names, KeepTheirOwnerAndTheirHighestVersion) {
  KnownNames names;
  ASSERT_TRUE(accept(names, descriptor(5)));
  EXPECT_TRUE(accept(names, descriptor(5))) << "the same again, with another signature";
  EXPECT_EQ(refusal(names, descriptor(4)), Code::kFailedPrecondition);
  auto other = descriptor(5);
  other.set_concurrency(9);
  EXPECT_EQ(refusal(names, other), Code::kAlreadyExists);
  auto stolen = descriptor(6);
  stolen.set_owner_key(field(crypto::SigningKey::generate().public_key().bytes()));
  EXPECT_EQ(refusal(names, stolen), Code::kPermissionDenied);
  EXPECT_TRUE(accept(names, descriptor(6)));
  EXPECT_EQ(refusal(names, descriptor(5)), Code::kFailedPrecondition);
  EXPECT_TRUE(accept(names, descriptor(1, "another"))) << "names are apart";
}

TEST_F(Names, AVersionOnTrialIsTakenAndNotRemembered) {
  KnownNames names;
  ASSERT_TRUE(accept(names, descriptor(5)));
  const auto tried = descriptor(6);
  EXPECT_TRUE(names.accept(stated(5, tried), tried, sign(owner_, tried)));
  EXPECT_TRUE(accept(names, descriptor(5))) << "its cluster went back";
  EXPECT_TRUE(accept(names, tried));
  EXPECT_EQ(refusal(names, descriptor(5)), Code::kFailedPrecondition) << "it is in force";
}

TEST_F(Names, ARefusalSaysWhoseTheNameIsAndWhatToDo) {
  KnownNames names;
  ASSERT_TRUE(accept(names, descriptor(5)));
  const auto thief = crypto::SigningKey::generate();
  auto stolen = descriptor(6);
  stolen.set_owner_key(field(thief.public_key().bytes()));
  const auto theft = names.check(stolen, sign(thief, stolen));
  ASSERT_FALSE(theft);
  EXPECT_THAT(theft.error().message(), HasSubstr(fingerprint(owner_.public_key().bytes())));
  EXPECT_THAT(theft.error().message(), HasSubstr(fingerprint(thief.public_key().bytes())));
  EXPECT_THAT(theft.error().message(), HasSubstr("choose another name"));
  const auto older = names.check(descriptor(4), sign(owner_, descriptor(4)));
  ASSERT_FALSE(older);
  EXPECT_THAT(older.error().message(), HasSubstr("version 4 of echo is older than version 5"));
}

TEST_F(Names, CheckingRemembersNothing) {
  const KnownNames names;
  EXPECT_TRUE(names.check(descriptor(5), sign(owner_, descriptor(5))));
  EXPECT_TRUE(names.check(descriptor(4), sign(owner_, descriptor(4))));
}

TEST_F(Names, OutliveTheirProcessInAPrivateFile) {
  ASSERT_TRUE(accept(*open(), descriptor(5)));
  EXPECT_EQ(std::filesystem::status(file_).permissions(), std::filesystem::perms(0600));
  const auto again = open();
  EXPECT_EQ(refusal(*again, descriptor(4)), Code::kFailedPrecondition);
  EXPECT_TRUE(accept(*again, descriptor(6)));
  EXPECT_EQ(refusal(*open(), descriptor(5)), Code::kFailedPrecondition);
}

TEST_F(Names, OfProcessesSideBySideAreMerged) {
  const auto one = open();
  const auto other = open();
  ASSERT_TRUE(accept(*one, descriptor(5, "a")));
  ASSERT_TRUE(accept(*other, descriptor(7, "b")));
  ASSERT_TRUE(accept(*one, descriptor(6, "a")));
  const auto again = open();
  EXPECT_EQ(refusal(*again, descriptor(5, "a")), Code::kFailedPrecondition);
  EXPECT_EQ(refusal(*again, descriptor(6, "b")), Code::kFailedPrecondition);
}

TEST_F(Names, OfAnotherAuthorityAreForgotten) {
  ASSERT_TRUE(accept(*open(), descriptor(5)));
  authority_ = to_bytes("another");
  EXPECT_TRUE(accept(*open(), descriptor(1)));
}

TEST_F(Names, ADamagedFileIsAnErrorThatSaysWhatToDo) {
  ASSERT_TRUE(accept(*open(), descriptor(5)));
  const auto text = read_text_file(file_).value();
  for (const auto& bad : {text + "echo", text + "echo 5 00 00\n", text + "../x 5 00 00\n",
                          text.substr(0, text.size() - 10), text + "echo five 00 00\n"}) {
    ASSERT_TRUE(write_file(file_, as_bytes(bad)));
    const auto opened = KnownNames::open(file_, authority_);
    ASSERT_FALSE(opened) << bad;
    EXPECT_EQ(opened.error().code(), Code::kDataLoss);
    EXPECT_THAT(opened.error().message(), HasSubstr("delete it"));
  }
}

TEST_F(Names, AFileThatCannotBeWrittenLeavesThemInMemory) {
  file_ = directory_.path() / "no" / "such" / "directory";
  const auto names = open();
  ASSERT_TRUE(accept(*names, descriptor(5)));
  EXPECT_EQ(refusal(*names, descriptor(4)), Code::kFailedPrecondition);
}

} // namespace
} // namespace tcfdl::wire
