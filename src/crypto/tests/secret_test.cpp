#include "crypto/secret.hpp"

#include "crypto/p256.hpp"
#include "crypto/random.hpp"
#include "crypto/tests/hex.hpp"

#include <fcntl.h>
#include <fstream>
#include <gtest/gtest.h>
#include <new>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace tcfdl::crypto {
namespace {

static_assert(!std::is_copy_constructible_v<SecretBytes> && !std::is_copy_assignable_v<SecretBytes>);
static_assert(!std::is_copy_constructible_v<SecretArray<4>> && !std::is_copy_assignable_v<SecretArray<4>>);

TEST(SecretArray, WipesItselfWhenItGoes) {
  alignas(SecretArray<8>) std::array<std::uint8_t, sizeof(SecretArray<8>)> memory{};
  auto* const secret =
      new (memory.data()) SecretArray<8>(SecretArray<8>::copy_of(std::array<std::uint8_t, 8>{1, 2, 3}));
  EXPECT_EQ(memory[2], 3);
  secret->~SecretArray();
  EXPECT_EQ(memory, decltype(memory){});
}

TEST(SecretArray, LeavesZerosBehindWhenItMoves) {
  auto first = SecretArray<2>::copy_of(std::array<std::uint8_t, 2>{7, 8});
  const auto second = std::move(first);
  EXPECT_EQ(second.span()[1], 8);
  // NOLINTNEXTLINE(bugprone-use-after-move,clang-analyzer-cplusplus.Move): what is left is the claim
  EXPECT_EQ(first.span()[1], 0);
}

TEST(SecretBytes, IsEmptyAfterAMove) {
  auto first = SecretBytes::copy_of(hex("0102"));
  auto second = std::move(first);
  // NOLINTNEXTLINE(bugprone-use-after-move,clang-analyzer-cplusplus.Move): what is left is the claim
  EXPECT_TRUE(first.empty());
  SecretBytes third(3);
  third = std::move(second);
  // NOLINTNEXTLINE(bugprone-use-after-move,clang-analyzer-cplusplus.Move): what is left is the claim
  EXPECT_TRUE(second.empty());
  EXPECT_TRUE(equal_constant_time(third.span(), hex("0102")));
}

TEST(EqualConstantTime, ComparesLengthAndContent) {
  EXPECT_TRUE(equal_constant_time({}, {}));
  EXPECT_TRUE(equal_constant_time(hex("0102"), hex("0102")));
  EXPECT_FALSE(equal_constant_time(hex("0102"), hex("0103")));
  EXPECT_FALSE(equal_constant_time(hex("0102"), hex("01")));
}

TEST(Random, FillsAllOfALongBufferAndDiffers) {
  Bytes bytes((std::size_t{1} << 20U) + 64);
  random_bytes(bytes);
  EXPECT_NE(Bytes(bytes.end() - 32, bytes.end()), repeated(32, 0));
  EXPECT_NE(random_array<32>(), random_array<32>());
}

/// Whether a reader of this process's memory finds octets, which are given inverted so that they are not found here.
bool memory_has(const std::vector<std::uint8_t>& inverted) {
  std::ifstream maps("/proc/self/maps");
  const int memory = ::open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
  std::vector<std::uint8_t> buffer;
  bool found = false;
  for (std::string line; !found && std::getline(maps, line);) {
    unsigned long begin = 0;
    unsigned long end = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx rw", &begin, &end) != 2 || line.find(" rw") == std::string::npos) continue;
    if (end - begin > (64UL << 20U)) continue;
    buffer.resize(end - begin);
    const auto got = ::pread(memory, buffer.data(), buffer.size(), static_cast<off_t>(begin));
    if (got <= 0) continue;
    buffer.resize(static_cast<std::size_t>(got));
    found = std::search(buffer.begin(), buffer.end(), inverted.begin(), inverted.end(), [](auto byte, auto wanted) {
              return byte == static_cast<std::uint8_t>(wanted ^ 0xFFU);
            }) != buffer.end();
    std::ranges::fill(buffer, 0);
  }
  ::close(memory);
  return found;
}

/// In a process of its own: whether a scalar and a secret of 32 octets are found in its memory, as bits 1 and 2.
int keys_found(bool protect) {
  const auto child = ::fork();
  if (child == 0) {
    if (protect && protect_process() != SecretMemory::kSecret) ::_exit(64);
    const auto scalar = Scalar::random();
    SecretBytes secret(32);
    random_bytes(secret.span());
    std::vector<std::uint8_t> inverted_scalar;
    std::vector<std::uint8_t> inverted_secret;
    {
      const auto bytes = scalar.to_bytes();
      // libcrypto keeps numbers with the lowest octet first.
      for (std::size_t i = bytes.size(); i-- > 0;) inverted_scalar.push_back(bytes.data()[i] ^ 0xFFU);
      for (const auto byte : std::as_const(secret).span()) inverted_secret.push_back(byte ^ 0xFFU);
    }
    ::_exit((memory_has(inverted_scalar) ? 1 : 0) + (memory_has(inverted_secret) ? 2 : 0));
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(SecretMemory, KeepsKeysFromReadersOfTheProcess) {
  const int found = keys_found(true);
  if (found == 64) GTEST_SKIP() << "the kernel has no memfd_secret, or the limit of locked memory is too low";
  EXPECT_EQ(found, 0);
  EXPECT_EQ(keys_found(false), 3) << "the same search finds them in ordinary memory";
}

TEST(SecretMemory, ServesMoreKeysThanItHolds) {
  const auto child = ::fork();
  if (child == 0) {
    protect_process();
    std::vector<Scalar> many;
    for (int i = 0; i < 20'000; ++i) many.push_back(Scalar::random());
    const auto same = many.front().to_bytes();
    ::_exit(equal_constant_time(same.span(), many.front().clone().to_bytes().span()) ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST(ProtectedProcess, CannotBeDumped) {
  const auto child = ::fork();
  if (child == 0) {
    protect_process();
    rlimit core{};
    ::getrlimit(RLIMIT_CORE, &core);
    ::_exit(::prctl(PR_GET_DUMPABLE) == 0 && core.rlim_max == 0 ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

} // namespace
} // namespace tcfdl::crypto
