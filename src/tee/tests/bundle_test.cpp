#include "base/encoding.hpp"
#include "base/file.hpp"
#include "tee/launch.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

namespace tcfdl::tee {
namespace {

/// A bundle whose program is a copy of a small ELF program of the system.
class BundleTest : public testing::Test {
protected:
  void SetUp() override {
    const auto program = read_file("/bin/sh").value();
    add("bin/program", program);
    add("data/model", to_bytes("model"));
    manifest_.command = {"bin/program", "-c", "cat data/model; echo \"$GREETING $PWD\""};
    manifest_.environment = {{"GREETING", "hello"}};
  }

  void add(const std::string& path, const Bytes& content) {
    std::filesystem::create_directories((root_.path() / path).parent_path());
    ASSERT_TRUE(write_file(root_.path() / path, content));
    manifest_.files.push_back({path, to_hex(crypto::sha256(content)), content.size(), path.starts_with("bin/")});
  }

  Result<MeasuredBundle> measure() { return measure_bundle(wire::write_manifest(manifest_), root_.path()); }

  TemporaryDirectory root_;
  wire::Manifest manifest_;
};

TEST_F(BundleTest, RunsTheMeasuredProgramInTheBundlesDirectory) {
  const auto bundle = measure();
  ASSERT_TRUE(bundle) << bundle.error().to_string();
  const auto log = root_.path() / "log";
  const auto started = launch(*bundle, {.environment = {}, .log = log, .name = "plain"}, Sandbox::none());
  ASSERT_TRUE(started) << started.error().to_string();
  int status = 0;
  ASSERT_EQ(::waitpid(started->pid, &status, 0), started->pid);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(read_text_file(log).value(), fmt::format("modelhello {}\n", root_.path().string()));
}

TEST_F(BundleTest, RefusesAFileThatDiffersFromTheManifest) {
  ASSERT_TRUE(write_file(root_.path() / "data/model", as_bytes("mOdel")));
  EXPECT_EQ(measure().error().code(), Code::kDataLoss);
  std::filesystem::remove(root_.path() / "data/model");
  EXPECT_EQ(measure().error().code(), Code::kNotFound);
}

TEST_F(BundleTest, RefusesALinkInPlaceOfAFile) {
  std::filesystem::rename(root_.path() / "data/model", root_.path() / "elsewhere");
  std::filesystem::create_symlink(root_.path() / "elsewhere", root_.path() / "data/model");
  EXPECT_FALSE(measure());
}

TEST_F(BundleTest, RefusesAProgramThatIsNoElfFile) {
  add("bin/script", to_bytes("#!/bin/sh\n"));
  manifest_.command = {"bin/script"};
  EXPECT_EQ(measure().error().code(), Code::kInvalidArgument);
}

TEST_F(BundleTest, TheProgramInMemoryCannotBeWritten) {
  const auto bundle = measure();
  ASSERT_TRUE(bundle);
  EXPECT_LT(::pwrite(bundle->program.get(), "x", 1, 0), 0);
  ASSERT_TRUE(write_file(root_.path() / "bin/program", as_bytes("changed after it was measured")));
  const auto started = launch(*bundle, {.environment = {}, .log = {}, .name = "plain"}, Sandbox::none());
  ASSERT_TRUE(started) << started.error().to_string();
  int status = 0;
  ::waitpid(started->pid, &status, 0);
  EXPECT_EQ(status, 0) << "what runs is what was measured";
}

} // namespace
} // namespace tcfdl::tee
