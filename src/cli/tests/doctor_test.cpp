#include "cli/doctor.hpp"

#include "base/file.hpp"

#include <algorithm>
#include <fstream>
#include <gtest/gtest.h>

namespace tcfdl::cli {
namespace {

class Doctor : public testing::Test {
protected:
  Doctor() {
    machine_.root = directory_.path();
    machine_.program_directories = {directory_.path() / "bin"};
    machine_.user_namespaces = machine_.seccomp = machine_.memfd_secret = [] { return true; };
    machine_.landlock_abi = [] { return 3; };
    machine_.open_files = [] { return std::uint64_t{4096}; };
    machine_.writable = [](const auto& path) { return std::filesystem::exists(path); };
    put("bin/nats-server");
  }
  void put(const std::string& path, const std::string& text = "x") {
    std::filesystem::create_directories((directory_.path() / path).parent_path());
    std::ofstream(directory_.path() / path) << text;
  }
  [[nodiscard]] bool ready(const std::string& tee) const { return can_run(examine(machine_), tee); }
  [[nodiscard]] Piece piece(const std::string& tee, const std::string& name) const {
    const auto pieces = examine(machine_);
    const auto found =
        std::ranges::find_if(pieces, [&](const auto& one) { return one.tee == tee && one.name == name; });
    return found == pieces.end() ? Piece() : *found;
  }

  TemporaryDirectory directory_;
  Machine machine_;
};

TEST_F(Doctor, ABareMachineRunsTheSoftwareTeeOnly) {
  EXPECT_TRUE(ready("software"));
  for (const auto* tee : {"sgx", "tdx", "snp"}) EXPECT_FALSE(ready(tee)) << tee;
  EXPECT_FALSE(ready("other"));
}

TEST_F(Doctor, EveryMissingPieceSaysWhatToDo) {
  for (const auto& one : examine(machine_)) {
    EXPECT_FALSE(one.remedy.empty()) << one.name;
    EXPECT_FALSE(one.detail.empty()) << one.name;
  }
}

TEST_F(Doctor, TheSoftwareTeeNeedsItsPieces) {
  const auto good = machine_;
  const auto breaks = [&](auto change) {
    machine_ = good;
    change();
    return !ready("software");
  };
  EXPECT_TRUE(breaks([&] { machine_.user_namespaces = [] { return false; }; }));
  EXPECT_TRUE(breaks([&] { machine_.seccomp = [] { return false; }; }));
  EXPECT_TRUE(breaks([&] { machine_.open_files = [] { return std::uint64_t{1024}; }; }));
  EXPECT_TRUE(breaks([&] { machine_.program_directories.clear(); }));
  EXPECT_FALSE(breaks([&] { machine_.landlock_abi = [] { return 0; }; }));
  EXPECT_FALSE(breaks([&] { machine_.memfd_secret = [] { return false; }; }));
}

TEST_F(Doctor, FindsTheControlGroupOfEitherVersion) {
  const auto name = "memory control group";
  EXPECT_FALSE(piece("software", name).present);
  put("proc/self/cgroup", "5:memory:/jobs\n0::/\n");
  std::filesystem::create_directories(directory_.path() / "sys/fs/cgroup/memory/jobs");
  EXPECT_TRUE(piece("software", name).present);
  EXPECT_NE(piece("software", name).detail.find("version 1 at /sys/fs/cgroup/memory/jobs"), std::string::npos);
  put("sys/fs/cgroup/cgroup.controllers", "cpu memory\n");
  EXPECT_NE(piece("software", name).detail.find("version 2"), std::string::npos);
  machine_.writable = [](const auto&) { return false; };
  EXPECT_FALSE(piece("software", name).present);
}

TEST_F(Doctor, KnowsAnSgxMachine) {
  put("proc/cpuinfo", "flags\t\t: fpu sgx_lc sgx\n");
  put("dev/sgx_enclave");
  put("dev/sgx_provision");
  put("var/run/aesmd/aesm.socket");
  EXPECT_FALSE(ready("sgx"));
  put("bin/gramine-sgx");
  EXPECT_TRUE(ready("sgx"));
  put("proc/cpuinfo", "flags\t\t: fpu sgx_lc\n");
  EXPECT_FALSE(ready("sgx")) << "a part of another flag's name";
}

TEST_F(Doctor, KnowsConfidentialVms) {
  put("dev/sev-guest");
  EXPECT_FALSE(ready("snp"));
  std::filesystem::create_directories(directory_.path() / "sys/kernel/config/tsm/report");
  EXPECT_TRUE(ready("snp"));
  EXPECT_FALSE(ready("tdx"));
  put("proc/cpuinfo", "flags\t\t: tdx_guest fpu\n");
  EXPECT_TRUE(ready("tdx"));
}

TEST_F(Doctor, LooksAtThisMachineToo) { EXPECT_FALSE(examine(Machine::local()).empty()); }

} // namespace
} // namespace tcfdl::cli
