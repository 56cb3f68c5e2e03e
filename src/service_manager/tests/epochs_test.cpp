#include "service_manager/authority/operations.hpp"
#include "service_manager/tests/world.hpp"
#include "wire/revocations.hpp"

namespace tcfdl::service_manager {
namespace {

class Epochs : public World {
protected:
  Epochs() {
    enrol(master_, wire::ROLE_MASTER);
    enrol(client_);
    must(registry_->register_function("west", signed_descriptor()));
  }

  wire::KeyScope sender_scope() {
    const auto reply = must(authority_->sender_keys(sender_request(client_, master_), "west"));
    return must(wire::parse<wire::KeyScope>(reply.sender_key().scope()));
  }
  static wire::RotateKey request(std::int64_t overlap = 0, const std::string& function = "plates/read") {
    wire::RotateKey rotate;
    rotate.set_function(function);
    rotate.set_overlap(overlap);
    return rotate;
  }
  std::int64_t rows(std::uint32_t epoch) {
    return must(database_->query_one("SELECT count(*) FROM function_keys WHERE epoch = ?", {std::int64_t{epoch}},
                                     [](const database::Row& row) { return row.integer(0); }))
        .value_or(0);
  }
  Bytes sealed(std::uint32_t epoch) {
    return must(database_->query_one("SELECT sealed FROM function_keys WHERE epoch = ?", {std::int64_t{epoch}},
                                     [](const database::Row& row) { return row.blob(0); }))
        .value_or(Bytes());
  }
  /// Whether the bytes are in the database's file or in its log.
  bool on_disk(const Bytes& secret) {
    return std::ranges::any_of(std::array{"state.db", "state.db-wal"}, [&](const char* name) {
      const auto content = read_file(directory_.path() / name, std::size_t{64} << 20U).value_or(Bytes());
      return !std::ranges::search(content, secret).empty();
    });
  }
  wire::RevocationList list() {
    return must(wire::verify<wire::RevocationList>(authority_->public_key(), must(authority_->revocations())));
  }

  NodeKeys master_{.name = "m"};
  HolderKeys client_{.name = "phone"};
};

TEST_F(Epochs, RotationPutsTheNextOneInForceAndTellsHowLongTheOneBeforeIsValid) {
  EXPECT_EQ(sender_scope().epoch(), 3U);
  EXPECT_EQ(must(authority_->revocation_number()), 0U);
  const auto rotated = must(authority_->rotate_key(request(), "west"));
  EXPECT_EQ(rotated.epoch(), 4U);
  EXPECT_EQ(rotated.until(), clock_.now() + 900);
  EXPECT_EQ(sender_scope().epoch(), 4U);
  EXPECT_EQ(rows(4), 1);
  const auto stated = list();
  ASSERT_EQ(stated.epochs_size(), 1);
  EXPECT_EQ(stated.epochs(0).epoch(), 4U);
  ASSERT_EQ(stated.epochs(0).retired_size(), 1);
  EXPECT_EQ(stated.epochs(0).retired(0).epoch(), 3U);
  EXPECT_EQ(stated.epochs(0).retired(0).until(), rotated.until());
  EXPECT_EQ(must(authority_->rotate_key(request(10), "west")).epoch(), 5U);
  EXPECT_EQ(list().epochs(0).retired_size(), 2) << "both overlaps last";
  EXPECT_GT(list().number(), stated.number());
}

TEST_F(Epochs, KeysAreErasedAfterTheOverlapInTablesLogAndFile) {
  (void)sender_scope();
  const auto secret = sealed(3);
  ASSERT_TRUE(on_disk(secret));
  must(authority_->rotate_key(request(60), "west"));
  EXPECT_EQ(must(authority_->erase_retired_keys()), 0U);
  EXPECT_EQ(rows(3), 1) << "within the overlap";
  clock_.advance(60);
  EXPECT_EQ(must(authority_->erase_retired_keys()), 1U);
  EXPECT_EQ(rows(3), 0);
  EXPECT_EQ(rows(4), 1);
  EXPECT_FALSE(on_disk(secret));
  EXPECT_EQ(must(authority_->erase_retired_keys()), 0U);
  start();
  EXPECT_EQ(sender_scope().epoch(), 4U) << "also after a restart";
  EXPECT_EQ(rows(3), 0);
}

TEST_F(Epochs, TheLogReplaysToTheSameTablesWithoutTheErasedKeys) {
  (void)sender_scope();
  must(authority_->rotate_key(request(1), "west"));
  clock_.advance(2);
  must(authority_->erase_retired_keys());
  const auto other = must(database::Database::open(directory_.path() / "copy.db"));
  must(prepare_schema(*other));
  OperationLog copy(*other, clock_);
  const Registry registry(*other, copy, clock_);
  authority::teach(copy);
  for (const auto& operation : must(log_->read(0, 1000))) must(copy.accept(operation));
  const auto keys = [](database::Database& database) {
    std::vector<std::pair<std::int64_t, Bytes>> all;
    must(database.query("SELECT epoch, sealed FROM function_keys ORDER BY epoch", {}, [&](const database::Row& row) {
      all.emplace_back(row.integer(0), row.blob(1));
      return Status();
    }));
    return all;
  };
  EXPECT_EQ(keys(*other), keys(*database_));
  EXPECT_EQ(keys(*other).size(), 1U);
}

TEST_F(Epochs, EndInTheirOwnOrder) {
  (void)sender_scope();
  must(authority_->rotate_key(request(3600), "west"));
  must(authority_->rotate_key(request(10), "west"));
  clock_.advance(10);
  must(authority_->erase_retired_keys());
  EXPECT_EQ(rows(4), 0);
  EXPECT_EQ(rows(3), 1) << "its overlap is longer";
  clock_.advance(3600);
  must(authority_->erase_retired_keys());
  EXPECT_EQ(rows(3), 0);
  EXPECT_EQ(rows(5), 1);
}

TEST_F(Epochs, AnOwnerRaisesThemTooAndNobodyLowersThem) {
  (void)sender_scope();
  auto raised = descriptor("plates/read", 2);
  raised.set_epoch(8);
  must(registry_->register_function("west", wire::sign(owner_, raised)));
  EXPECT_EQ(sender_scope().epoch(), 8U);
  EXPECT_EQ(list().epochs(0).retired(0).epoch(), 3U);
  auto lowered = descriptor("plates/read", 3);
  lowered.set_epoch(1);
  must(registry_->register_function("west", wire::sign(owner_, lowered)));
  EXPECT_EQ(sender_scope().epoch(), 8U);
  clock_.advance(900);
  must(authority_->erase_retired_keys());
  EXPECT_EQ(rows(3), 0);
}

TEST_F(Epochs, AreRotatedByWhoProvidesTheFunctionWithinBounds) {
  EXPECT_THAT(refusal(authority_->rotate_key(request(), "east")), Refuses(Code::kPermissionDenied, "does not provide"));
  EXPECT_THAT(refusal(authority_->rotate_key(request(0, "plates/none"), "west")), Refuses(Code::kNotFound, "none"));
  EXPECT_THAT(refusal(authority_->rotate_key(request(-1), "west")), Refuses(Code::kInvalidArgument, "overlap"));
  EXPECT_THAT(refusal(authority_->rotate_key(request(86'401), "west")), Refuses(Code::kInvalidArgument, "overlap"));
  for (int i = 0; i < 8; ++i) must(authority_->rotate_key(request(), "west"));
  EXPECT_THAT(refusal(authority_->rotate_key(request(), "west")), Refuses(Code::kResourceExhausted, "wait"));
}

} // namespace
} // namespace tcfdl::service_manager
