#include "node/backup.hpp"

#include "base/file.hpp"
#include "database/file_store.hpp"
#include "function_manager/function_manager.hpp"

#include <gmock/gmock.h>
#include <thread>

namespace tcfdl::node {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class BackupTest : public testing::Test {
protected:
  void SetUp() override {
    put("node.json", "{}");
    put("proxy/proxy.keys", "secret", kPrivateFile);
    put("store/abc", "artefact");
    for (const auto* passing : {"lock", "nats/nats-server.conf", "gateway/bin/tcfdl-gateway", "proxy/slots/echo-1",
                                "store/bundles/x/bin/echo", "proxy.log", ".node.json.half"}) {
      put(passing, "made anew");
    }
    database_ = database::Database::open(state_ / "master.sqlite").value();
    store_ = database::FileStore::open(*database_, clock_, function_manager::artefact_settings(state_ / "artefacts"))
                 .value();
    ASSERT_TRUE(store_->put(as_bytes("program")));
  }

  void put(const fs::path& file, std::string_view content, mode_t mode = kPublicFile) const {
    fs::create_directories((state_ / file).parent_path());
    ASSERT_TRUE(write_file(state_ / file, as_bytes(content), mode));
  }
  static void overwrite(const fs::path& file, std::string_view content) {
    ASSERT_TRUE(write_file(file, as_bytes(content)));
  }
  Error refusal() {
    const auto restored = restore(backup_, root_.path() / "refused");
    EXPECT_FALSE(restored);
    EXPECT_FALSE(fs::exists(root_.path() / "refused"));
    return restored ? Error(Code::kUnknown, "") : restored.error();
  }

  TemporaryDirectory root_;
  const fs::path state_ = root_.path() / "state";
  const fs::path backup_ = root_.path() / "backup";
  SystemClock clock_;
  std::unique_ptr<database::Database> database_;
  std::unique_ptr<database::FileStore> store_;
};

TEST_F(BackupTest, HoldsWhatIsKeptAndNothingThatIsMadeAnew) {
  const auto made = back_up(state_, backup_);
  ASSERT_TRUE(made) << made.error().to_string();
  EXPECT_EQ(made->files, 5U);
  const auto restored = restore(backup_, root_.path() / "new");
  ASSERT_TRUE(restored) << restored.error().to_string();
  EXPECT_EQ(restored->bytes, made->bytes);
  EXPECT_EQ(read_text_file(root_.path() / "new/proxy/proxy.keys").value(), "secret");
  EXPECT_EQ(fs::status(root_.path() / "new/proxy/proxy.keys").permissions(), fs::perms(kPrivateFile));
  EXPECT_EQ(fs::status(root_.path() / "new").permissions(), fs::perms(0700));
  for (const auto* passing : {"lock", "nats", "gateway", "proxy/slots", "store/bundles", "proxy.log"}) {
    EXPECT_FALSE(fs::exists(root_.path() / "new" / passing)) << passing;
  }
  const auto database = database::Database::open(root_.path() / "new/master.sqlite").value();
  const auto store =
      database::FileStore::open(*database, clock_, function_manager::artefact_settings(root_.path() / "new/artefacts"))
          .value();
  EXPECT_EQ(store->get(store_->list()->front().digest).value(), to_bytes("program"));
}

TEST_F(BackupTest, IsOfOneMomentWhileTheDaemonWrites) {
  ASSERT_TRUE(database_->execute("CREATE TABLE pairs (left INTEGER, right INTEGER)"));
  std::atomic<int> written = 0;
  const std::jthread writer([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      const std::int64_t number = ++written;
      (void)database_->transaction([&]() -> Status {
        TCFDL_TRY(database_->execute("INSERT INTO pairs VALUES (?, 0)", {number}));
        TCFDL_TRY(database_->execute("UPDATE pairs SET right = left"));
        return {};
      });
    }
  });
  while (written < 10) std::this_thread::yield();
  ASSERT_TRUE(back_up(state_, backup_));
  ASSERT_TRUE(restore(backup_, root_.path() / "new"));
  const auto copied = database::Database::open(root_.path() / "new/master.sqlite").value();
  const auto broken = copied->query_one("SELECT count(*) FROM pairs WHERE left <> right", {},
                                        [](const database::Row& row) { return row.integer(0); });
  EXPECT_EQ(broken.value(), 0);
  const auto count =
      copied->query_one("SELECT count(*) FROM pairs", {}, [](const database::Row& row) { return row.integer(0); });
  EXPECT_GE(count.value().value(), 9);
}

TEST_F(BackupTest, IsNotMadeWithoutTheArtefactsThatItsDatabaseNames) {
  fs::remove_all(state_ / "artefacts");
  const auto made = back_up(state_, backup_);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code(), Code::kUnavailable);
  EXPECT_FALSE(fs::exists(backup_));
  EXPECT_EQ(std::distance(fs::directory_iterator(root_.path()), fs::directory_iterator()), 1) << "no draft is left";
}

TEST_F(BackupTest, ThatWasChangedOrIsNotWholeIsRefusedByName) {
  ASSERT_TRUE(back_up(state_, backup_));
  overwrite(backup_ / "proxy/proxy.keys", "secreT");
  EXPECT_THAT(refusal().to_string(), testing::AllOf(HasSubstr("DATA_LOSS"), HasSubstr("proxy.keys")));
  fs::remove(backup_ / "proxy/proxy.keys");
  EXPECT_THAT(refusal().to_string(), testing::AllOf(HasSubstr("DATA_LOSS"), HasSubstr("proxy.keys")));
  fs::remove(backup_ / "backup.json");
  EXPECT_THAT(refusal().to_string(), HasSubstr("no backup"));
}

TEST_F(BackupTest, ListsThatAreNoneAreRefused) {
  ASSERT_TRUE(back_up(state_, backup_));
  const std::string hash(64, '0');
  for (const auto* path :
       {"../evil", "/etc/passwd", "a/../../b", "", "nats/x", "lock", "a//b", "proxy//slots/x", "proxy/slots/x"}) {
    overwrite(backup_ / "backup.json", R"({"tcfdl_backup":1,"made":1,"files":[{"path":")" + std::string(path) +
                                           R"(","size":0,"sha256":")" + hash + R"(","mode":384}]})");
    EXPECT_EQ(refusal().code(), Code::kInvalidArgument) << path;
  }
  for (const auto* list :
       {"", "[]", "{}", R"({"tcfdl_backup":1,"made":1,"files":7})", R"({"tcfdl_backup":1,"made":1,"files":[7]})"}) {
    overwrite(backup_ / "backup.json", list);
    EXPECT_EQ(refusal().code(), Code::kInvalidArgument) << list;
  }
  overwrite(backup_ / "backup.json", R"({"tcfdl_backup":2,"made":1,"files":[]})");
  EXPECT_EQ(refusal().code(), Code::kFailedPrecondition);
}

TEST_F(BackupTest, NeverWritesOverWhatIsThere) {
  ASSERT_TRUE(back_up(state_, backup_));
  EXPECT_EQ(back_up(state_, backup_).error().code(), Code::kAlreadyExists);
  EXPECT_EQ(restore(backup_, state_).error().code(), Code::kAlreadyExists);
  EXPECT_EQ(back_up(root_.path() / "nothing", root_.path() / "b").error().code(), Code::kNotFound);
  fs::create_directory(root_.path() / "empty");
  EXPECT_TRUE(restore(backup_, root_.path() / "empty"));
}

} // namespace
} // namespace tcfdl::node
