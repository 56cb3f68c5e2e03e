// Bodies and results while they come, and what they leave in memory.
#include "support/platform.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

namespace tcfdl::test {
namespace {

/// The most memory that a process has had in use so far, KiB; 0 when it is gone.
long peak_of(pid_t pid) {
  const auto status = read_text_file("/proc/" + std::to_string(pid) + "/status").value_or("");
  const auto at = status.find("VmHWM:");
  return at == std::string::npos ? 0 : std::strtol(status.c_str() + at + 6, nullptr, 10);
}

class Streams : public testing::Test {
protected:
  void SetUp() override { ASSERT_EQ(platform_.up(), ""); }
  [[nodiscard]] std::string file(const std::string& name) const { return (platform_.root() / name).string(); }
  std::unique_ptr<Background> invoke(const std::string& function, const std::string& in) {
    return std::make_unique<Background>(std::vector<std::string>{Platform::binary("tcfdl"), "invoke", function, "--in",
                                                                 in, "--out", "-", "--timeout", "200s", "--summary",
                                                                 file("summary")},
                                        platform_.environment(), file("out"));
  }
  [[nodiscard]] std::string out() const { return read_text_file(file("out")).value_or(""); }

  Platform platform_;
};

TEST_F(Streams, ComeBackPieceByPieceAtTheCommandLine) {
  ASSERT_EQ(platform_.deploy("parrot", "e2e-parrot").exit_code, 0);
  ASSERT_EQ(::mkfifo(file("in").c_str(), 0600), 0);
  const auto call = invoke("parrot", file("in"));
  UniqueFd in(::open(file("in").c_str(), O_WRONLY | O_CLOEXEC));
  std::string said;
  for (const std::string_view piece : {"one\n", "two\n", "three\n"}) {
    ASSERT_TRUE(write_all(in.get(), as_bytes(piece)));
    said += piece;
    ASSERT_TRUE(eventually([&] { return out() == said; })) << out();
  }
  in.reset();
  EXPECT_EQ(call->wait(), 0) << out();
}

TEST_F(Streams, OfAGibibyteLeaveMemoryAsItWas) {
  ASSERT_EQ(platform_.deploy("count", "e2e-parrot", "idempotent: true\n", {"count"}).exit_code, 0);
  ASSERT_EQ(platform_.invoke("count", "four").out, "4");
  const auto instances = platform_.instances("e2e-parrot");
  ASSERT_EQ(instances.size(), 1U);
  const auto small = invoke("count", "/dev/null");
  long small_peak = 0;
  const auto watch = [](const Background& call, long& peak) {
    peak = std::max(peak, peak_of(call.pid()));
    return !is_alive(call.pid());
  };
  ASSERT_TRUE(eventually([&] { return watch(*small, small_peak); }));
  const auto before = peak_of(instances[0]);

  ASSERT_TRUE(write_file(file("big"), {}));
  ASSERT_EQ(::truncate(file("big").c_str(), off_t{1} << 30U), 0);
  const auto big = invoke("count", file("big"));
  long big_peak = 0;
  ASSERT_TRUE(eventually([&] { return watch(*big, big_peak); }, std::chrono::seconds(200)));
  EXPECT_TRUE(out().ends_with("1073741824")) << out();
  constexpr long kMostMore = 24 * 1024;
  EXPECT_LT(peak_of(instances[0]), before + kMostMore) << "of the instance, KiB";
  EXPECT_LT(big_peak, small_peak + kMostMore) << "of the caller, KiB";
}

} // namespace
} // namespace tcfdl::test
