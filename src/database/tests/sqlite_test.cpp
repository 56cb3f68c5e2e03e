#include "database/sqlite.hpp"

#include "base/file.hpp"

#include <array>
#include <fstream>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <thread>

namespace tcfdl::database {
namespace {

class DatabaseTest : public testing::Test {
protected:
  void SetUp() override {
    auto opened = Database::open(path());
    ASSERT_TRUE(opened) << opened.error().to_string();
    database_ = std::move(*opened);
    ASSERT_TRUE(database_->execute("CREATE TABLE t(k TEXT PRIMARY KEY, n INTEGER, b BLOB)"));
  }
  [[nodiscard]] std::filesystem::path path() const { return directory_.path() / "state.db"; }
  std::int64_t count() {
    return database_->query_one("SELECT count(*) FROM t", {}, [](const Row& row) { return row.integer(0); })
        .value()
        .value();
  }
  Result<std::int64_t> insert(const std::string& key, std::int64_t number = 0) {
    return database_->execute("INSERT INTO t(k, n) VALUES(?, ?)", {key, number});
  }

  TemporaryDirectory directory_;
  std::unique_ptr<Database> database_;
};

TEST_F(DatabaseTest, GivesBackEveryTypeAsItWasBound) {
  const std::string text("a'\0;--", 6);
  const Bytes blob{0, 255, 7};
  ASSERT_TRUE(database_->execute("INSERT INTO t VALUES(?, ?, ?)", {text, std::int64_t{-1} << 62U, blob}));
  ASSERT_TRUE(database_->execute("INSERT INTO t VALUES(?, ?, ?)", {std::string("z"), std::monostate(), Bytes()}));
  int rows = 0;
  ASSERT_TRUE(database_->query("SELECT k, n, b FROM t ORDER BY k", {}, [&](const Row& row) -> Status {
    if (rows++ == 0) {
      EXPECT_EQ(row.text(0), text);
      EXPECT_EQ(row.integer(1), std::int64_t{-1} << 62U);
      EXPECT_EQ(row.blob(2), blob);
    } else {
      EXPECT_TRUE(row.is_null(1));
      EXPECT_FALSE(row.is_null(2));
      EXPECT_TRUE(row.blob(2).empty());
    }
    return {};
  }));
  EXPECT_EQ(rows, 2);
}

TEST_F(DatabaseTest, IsPrivateAndInWalMode) {
  ASSERT_TRUE(insert("a"));
  for (const auto* suffix : {"", "-wal", "-shm"}) {
    struct stat info{};
    ASSERT_EQ(::stat((path().string() + suffix).c_str(), &info), 0) << suffix;
    EXPECT_EQ(info.st_mode & 0777U, 0600U) << suffix;
  }
}

TEST_F(DatabaseTest, UndoesATransactionThatFails) {
  const auto outcome = database_->transaction([&]() -> Status {
    TCFDL_TRY(insert("a"));
    return make_error(Code::kAborted, "no");
  });
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code(), Code::kAborted);
  EXPECT_EQ(count(), 0);
}

TEST_F(DatabaseTest, UndoesAnInnerTransactionAlone) {
  ASSERT_TRUE(database_->transaction([&]() -> Status {
    TCFDL_TRY(insert("outer"));
    EXPECT_FALSE(database_->transaction([&]() -> Status {
      TCFDL_TRY(insert("inner"));
      return make_error(Code::kAborted, "no");
    }));
    return {};
  }));
  EXPECT_EQ(count(), 1);
}

TEST_F(DatabaseTest, NamesConstraintsSyntaxAndWrongCounts) {
  ASSERT_TRUE(insert("a"));
  EXPECT_EQ(insert("a").error().code(), Code::kAlreadyExists);
  EXPECT_EQ(database_->execute("SELEC").error().code(), Code::kInvalidArgument);
  EXPECT_EQ(database_->execute("").error().code(), Code::kInvalidArgument);
  EXPECT_EQ(database_->execute("SELECT ?").error().code(), Code::kInvalidArgument);
  ASSERT_TRUE(database_->execute("CREATE TABLE child(k TEXT REFERENCES t(k))"));
  EXPECT_EQ(database_->execute("INSERT INTO child VALUES('none')").error().code(), Code::kFailedPrecondition);
}

TEST_F(DatabaseTest, RunsTheSameStatementInsideItself) {
  ASSERT_TRUE(insert("a"));
  ASSERT_TRUE(insert("b"));
  int pairs = 0;
  const auto inner = [&](const Row&) -> Status { return ++pairs, Status(); };
  const auto outer = [&](const Row&) -> Status { return database_->query("SELECT k FROM t", {}, inner); };
  ASSERT_TRUE(database_->query("SELECT k FROM t", {}, outer));
  EXPECT_EQ(pairs, 4);
}

TEST_F(DatabaseTest, ServesManyThreads) {
  std::vector<std::jthread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < 25; ++i) {
        EXPECT_TRUE(database_->transaction([&]() -> Status {
          TCFDL_TRY(insert(fmt::format("{}-{}", thread, i)));
          return {};
        }));
      }
    });
  }
  threads.clear();
  EXPECT_EQ(count(), 100);
}

TEST_F(DatabaseTest, MigratesOnceAndKeepsRows) {
  const std::string_view first = "CREATE TABLE m(a); INSERT INTO m VALUES(1);";
  const std::string_view second = "ALTER TABLE m ADD COLUMN b;";
  const std::string_view broken = "CREATE TABLE half(a); nonsense;";
  ASSERT_TRUE(database_->migrate("m", std::array{first}));
  ASSERT_TRUE(database_->migrate("m", std::array{first, second}));
  EXPECT_FALSE(database_->migrate("m", std::array{first, second, broken}));
  EXPECT_FALSE(database_->execute("SELECT * FROM half"));
  EXPECT_EQ(database_->migrate("m", std::array{first}).error().code(), Code::kFailedPrecondition);
  const auto rows =
      database_->query_one("SELECT count(b IS NULL) FROM m", {}, [](const Row& row) { return row.integer(0); });
  EXPECT_EQ(rows.value(), 1);
}

TEST_F(DatabaseTest, KeepsAVersionForEachOwnerOfTables) {
  const std::string_view mine = "CREATE TABLE mine(a);";
  const std::string_view yours = "CREATE TABLE yours(a);";
  const std::string_view more = "ALTER TABLE yours ADD COLUMN b;";
  ASSERT_TRUE(database_->migrate("mine", std::array{mine}));
  ASSERT_TRUE(database_->migrate("yours", std::array{yours}));
  ASSERT_TRUE(database_->migrate("yours", std::array{yours, more}));
  ASSERT_TRUE(database_->migrate("mine", std::array{mine}));
  EXPECT_TRUE(database_->execute("SELECT b FROM yours"));
}

TEST_F(DatabaseTest, GoesOnFromTheVersionOfAFileThatHadOneForAll) {
  const std::string_view first = "CREATE TABLE m(a);";
  const std::string_view second = "ALTER TABLE m ADD COLUMN b;";
  ASSERT_TRUE(database_->execute("CREATE TABLE m(a)"));
  ASSERT_TRUE(database_->execute("PRAGMA user_version=1"));
  ASSERT_TRUE(database_->migrate("m", std::array{first, second}));
  EXPECT_TRUE(database_->execute("SELECT b FROM m"));
  const auto old = database_->query_one("PRAGMA user_version", {}, [](const Row& row) { return row.integer(0); });
  EXPECT_EQ(old.value(), 2) << "or an older program would take it for its own";
}

TEST_F(DatabaseTest, SaysThatTheDiskIsFullAndGoesOnWhenThereIsRoom) {
  ASSERT_TRUE(database_->execute("PRAGMA max_page_count=16"));
  Status full;
  for (int i = 0; i < 200 && full; ++i) {
    full = database_->transaction([&]() -> Status {
      TCFDL_TRY(database_->execute("INSERT INTO t(k, b) VALUES (?, ?)", {fmt::format("full-{}", i), Bytes(1000, 'x')}));
      return {};
    });
  }
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code(), Code::kResourceExhausted);
  EXPECT_NE(full.error().message().find("free some room"), std::string::npos) << full.error().message();
  ASSERT_TRUE(database_->execute("PRAGMA max_page_count=1000"));
  EXPECT_TRUE(insert("after"));
  EXPECT_TRUE(database_->check());
}

TEST_F(DatabaseTest, SaysOfADamagedFileWhatToDo) {
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(insert(fmt::format("row-{}", i)));
  database_.reset();
  { // the tables' pages, and not the head of the file
    std::fstream file(path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096);
    file << std::string(8192, '\x5a');
  }
  const auto damaged = Database::open(path()).value();
  const auto checked = damaged->check();
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code(), Code::kDataLoss);
  const auto read = damaged->query("SELECT k FROM t", {}, [](const Row&) -> Status { return {}; });
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code(), Code::kDataLoss);
  EXPECT_NE(read.error().message().find("restore a backup"), std::string::npos) << read.error().message();
}

TEST_F(DatabaseTest, RefusesAFileThatIsNoDatabase) {
  const auto other = directory_.path() / "other";
  ASSERT_TRUE(write_file(other, Bytes(4096, 'x')));
  EXPECT_EQ(Database::open(other).error().code(), Code::kDataLoss);
}

TEST_F(DatabaseTest, KeepsCommitsOverAReopening) {
  ASSERT_TRUE(insert("a", 5));
  database_ = Database::open(path()).value();
  EXPECT_EQ(count(), 1);
}

} // namespace
} // namespace tcfdl::database
