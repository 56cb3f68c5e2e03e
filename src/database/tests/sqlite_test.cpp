#include "database/sqlite.hpp"

#include "base/file.hpp"

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
  ASSERT_TRUE(database_->migrate(std::array{first}));
  ASSERT_TRUE(database_->migrate(std::array{first, second}));
  EXPECT_FALSE(database_->migrate(std::array{first, second, broken}));
  EXPECT_FALSE(database_->execute("SELECT * FROM half"));
  EXPECT_EQ(database_->migrate(std::array{first}).error().code(), Code::kFailedPrecondition);
  const auto rows =
      database_->query_one("SELECT count(b IS NULL) FROM m", {}, [](const Row& row) { return row.integer(0); });
  EXPECT_EQ(rows.value(), 1);
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
