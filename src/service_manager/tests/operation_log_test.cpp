#include "service_manager/registry/operations.hpp"

#include "service_manager/authority/operations.hpp"
#include "service_manager/operations.pb.h"
#include "service_manager/tests/world.hpp"

namespace tcfdl::service_manager {
namespace {

std::vector<std::string> dump(database::Database& database, const std::string& table, int columns) {
  std::vector<std::string> rows;
  must(database.query("SELECT * FROM " + table + " ORDER BY 1, 2", {}, [&](const database::Row& row) -> Status {
    std::string text;
    for (int i = 0; i < columns; ++i) text += row.text(i) + "|";
    rows.push_back(text);
    return {};
  }));
  return rows;
}

class Log : public World {
protected:
  void fill() {
    enrol(master_, wire::ROLE_MASTER);
    enrol(client_, {"plates/*"});
    wire::RenewCluster renewal;
    renewal.set_lifetime(30);
    renewal.mutable_link()->set_host("10.0.0.1");
    must(registry_->renew(master_.certificate, renewal));
    must(registry_->register_function("west", signed_descriptor()));
    must(registry_->register_function("west", signed_descriptor("plates/read", 2)));
    must(registry_->register_function("west", signed_descriptor("echo")));
    must(registry_->unregister_function("west", "echo"));
    must(authority_->sender_keys(sender_request(client_, master_), "west"));
    must(authority_->remove_subject("west", "phone"));
  }

  NodeKeys master_{.name = "m"};
  HolderKeys client_{.name = "phone"};
};

TEST_F(Log, ReplayReproducesTheTables) {
  fill();
  const auto copy = must(database::Database::open(directory_.path() / "copy.db"));
  must(prepare_schema(*copy));
  OperationLog replica(*copy, clock_);
  registry::teach(replica, 10'000);
  authority::teach(replica);
  for (const auto& operation : must(log_->read(0, 1000))) must(replica.accept(operation));
  EXPECT_EQ(must(replica.last()), must(log_->last()));
  const std::map<std::string, int> tables = {{"operations", 4}, {"clusters", 5},      {"functions", 4},
                                             {"providers", 2},  {"authority_key", 2}, {"function_keys", 4},
                                             {"tokens", 6},     {"subjects", 10},     {"issued", 8}};
  for (const auto& [table, columns] : tables) {
    EXPECT_EQ(dump(*copy, table, columns), dump(*database_, table, columns)) << table;
    EXPECT_FALSE(dump(*copy, table, columns).empty()) << table;
  }
}

TEST_F(Log, KeepsNothingOfARefusedOperation) {
  fill();
  const auto before = must(log_->last());
  FunctionRegistered older;
  older.set_cluster("east");
  *older.mutable_descriptor() = signed_descriptor("plates/read", 1);
  EXPECT_FALSE(log_->append(older));
  EXPECT_EQ(must(log_->last()), before);
  EXPECT_EQ(dump(*database_, "providers", 2), std::vector<std::string>{"plates/read|west|"});
}

TEST_F(Log, AcceptsOnlyTheNextOperationOfAKnownKind) {
  const auto last = must(log_->last());
  TokenCreated token;
  token.set_hash("h");
  Operation operation{.seq = last + 2, .kind = "TokenCreated", .payload = wire::serialize(token), .time = kNow};
  EXPECT_THAT(refusal(log_->accept(operation)), Refuses(Code::kFailedPrecondition, "does not follow"));
  operation.seq = last;
  EXPECT_FALSE(log_->accept(operation));
  operation.seq = last + 1;
  operation.kind = "FromTheFuture";
  EXPECT_THAT(refusal(log_->accept(operation)), Refuses(Code::kFailedPrecondition, "newer program"));
  operation.kind = "TokenCreated";
  EXPECT_TRUE(log_->accept(operation));
}

TEST_F(Log, ReadsInPieces) {
  fill();
  const auto all = must(log_->read(0, 1000));
  const auto some = must(log_->read(3, 2));
  ASSERT_EQ(some.size(), 2U);
  EXPECT_EQ(some[0].seq, 4U);
  EXPECT_EQ(some[1].payload, all[4].payload);
}

TEST_F(Log, UnchangedRenewalsAreNotLogged) {
  enrol(master_, wire::ROLE_MASTER);
  wire::RenewCluster renewal;
  renewal.set_lifetime(30);
  must(registry_->renew(master_.certificate, renewal));
  const auto before = must(log_->last());
  clock_.advance(10);
  must(registry_->renew(master_.certificate, renewal));
  EXPECT_EQ(must(log_->last()), before);
}

} // namespace
} // namespace tcfdl::service_manager
