// A disk that is full under a running cluster: what needs it is refused and says so, what does not goes on, and nothing
// that was acknowledged is damaged.
#include "chaos/chaos.hpp"

#include "base/fd.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mount.h>

namespace tcfdl::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// A file system of its own under a directory, as far as this user may mount one.
class SmallDisk {
public:
  explicit SmallDisk(std::filesystem::path at) : at_(std::move(at)) {
    std::filesystem::create_directories(at_);
    mounted_ = ::mount("tcfdl-chaos", at_.c_str(), "tmpfs", 0, "size=512m,mode=0700") == 0;
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  ~SmallDisk() {
    if (mounted_) ::umount2(at_.c_str(), MNT_DETACH);
  }

  [[nodiscard]] bool mounted() const noexcept { return mounted_; }
  /// Takes all that is left.
  void fill() const {
    const UniqueFd fd(::open(ballast().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    for (std::size_t piece = std::size_t{1} << 20U; piece > 0;) {
      const std::string zeros(piece, '\0');
      if (::write(fd.get(), zeros.data(), zeros.size()) <= 0) piece /= 2;
    }
  }
  void free() const { std::filesystem::remove(ballast()); }

private:
  [[nodiscard]] std::filesystem::path ballast() const { return at_ / "ballast"; }

  std::filesystem::path at_;
  bool mounted_ = false;
};

class FullDisk : public Chaos {
protected:
  FullDisk() : disk_(platform_.state()) {}
  ~FullDisk() override { platform_.down(); }
  void SetUp() override {
    if (!disk_.mounted()) GTEST_SKIP() << "this user cannot mount a file system";
    Chaos::SetUp();
  }

  SmallDisk disk_;
};

TEST_F(FullDisk, RefusesWhatMustBeStoredGoesOnWithCallsAndIsWholeAfterwards) {
  const auto kept = client_->submit("once", as_bytes(journal_.body(milliseconds(1), "kept")));
  ASSERT_TRUE(kept) << kept.error().to_string();
  ASSERT_TRUE(client_->task_wait(*kept, seconds(60)));
  Load once(calls_of(*client_, "once"), journal_, {.name = "once"});
  Submissions submitted(*client_, "once", journal_, {.name = "once"});
  ASSERT_TRUE(once.serves());
  const auto state = durable_state()["functions"];
  for (unsigned round = 0; round < chaos_rounds(); ++round) {
    disk_.fill();
    const std::string large = journal_.body(milliseconds(1), std::string(1'000'000, 'x'));
    const auto refused = client_->submit("once", as_bytes(large));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), Code::kResourceExhausted) << refused.error().to_string();
    const auto deployed = platform_.deploy("more", "examples-echo");
    EXPECT_NE(deployed.exit_code, 0);
    EXPECT_THAT(deployed.err, testing::HasSubstr("RESOURCE_EXHAUSTED"));
    EXPECT_TRUE(once.serves()) << "calls need no disk";
    disk_.free();
    EXPECT_TRUE(once.serves());
    EXPECT_EQ(platform_.deploy("more", "examples-echo").exit_code, 0);
    ASSERT_EQ(platform_.tcfdl({"function", "remove", "more"}).exit_code, 0);
  }
  submitted.stop();
  once.stop();
  EXPECT_EQ(once.violations(), "");
  EXPECT_EQ(submitted.violations(), "");
  EXPECT_EQ(durable_state()["functions"], state);
  EXPECT_EQ(as_text(client_->task_get(*kept).value().result), "kept");
}

TEST_F(FullDisk, DelaysTheEndOfATaskWhoseResultFindsNoRoom) {
  const auto task = client_->submit("once", as_bytes(journal_.body(milliseconds(1500), "patient")));
  ASSERT_TRUE(task) << task.error().to_string();
  ASSERT_TRUE(eventually([&] { return journal_.runs("patient") == 1; }));
  disk_.fill();
  const auto meanwhile = client_->task_wait(*task, seconds(4));
  EXPECT_TRUE(!meanwhile || !meanwhile->info.ended());
  disk_.free();
  const auto end = client_->task_wait(*task, seconds(60));
  ASSERT_TRUE(end) << end.error().to_string();
  EXPECT_EQ(end->info.state, TaskState::kSucceeded) << (end->info.error ? end->info.error->to_string() : "");
  EXPECT_EQ(journal_.runs("patient"), 1U);
}

TEST_F(FullDisk, KeepsADaemonFromItsStartOnlyAsLongAsItIsFull) {
  Load once(calls_of(*client_, "once"), journal_, {.name = "once"});
  ASSERT_TRUE(once.serves());
  const auto state = durable_state();
  for (const auto part : {Part::kMaster, Part::kWorker}) {
    disk_.fill();
    const auto before = signal(part, SIGKILL);
    EXPECT_TRUE(eventually([&] { return !is_alive(before); }));
    EXPECT_TRUE(once.ends(6));
    disk_.free();
    EXPECT_TRUE(eventually([&] { return is_replaced(part, before); }));
    EXPECT_TRUE(once.serves());
  }
  once.stop();
  EXPECT_EQ(once.violations(), "");
  EXPECT_TRUE(eventually([&] { return durable_state() == state; })) << state << "\n" << durable_state();
}

} // namespace
} // namespace tcfdl::test
