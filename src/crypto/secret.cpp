#include "crypto/secret.hpp"

#include "crypto/openssl.hpp"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace tcfdl::crypto {
namespace {

// libcrypto's secure heap is the arena: what it allocates for private keys by itself lies there as well.
constexpr std::size_t kArena = std::size_t{512} << 10U;
constexpr std::size_t kSmallest = 64;
constexpr std::size_t kLargest = 256; ///< of what is kept apart; longer secrets are bodies, not keys
/// The rest is for libcrypto, whose allocations must not fail.
constexpr std::size_t kRoom = kArena / 4 * 3;

/// Replaces the pages of the arena, all of which are allocated at the moment, by memory that only this process maps.
bool move_to_secret_memory(void* arena) noexcept {
#ifdef SYS_memfd_secret
  const auto fd = static_cast<int>(::syscall(SYS_memfd_secret, O_CLOEXEC));
  if (fd < 0) return false;
  ::munlock(arena, kArena); // both count against the same limit
  void* pages = ::ftruncate(fd, static_cast<off_t>(kArena)) == 0
                    ? ::mmap(nullptr, kArena, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
                    : MAP_FAILED;
  ::close(fd);
  if (pages != MAP_FAILED && ::mremap(pages, kArena, kArena, MREMAP_MAYMOVE | MREMAP_FIXED, arena) == arena)
    return true;
  if (pages != MAP_FAILED) ::munmap(pages, kArena);
  (void)::mlock(arena, kArena);
#endif
  return false;
}

SecretMemory make_arena() noexcept {
  const int made = CRYPTO_secure_malloc_init(kArena, kSmallest);
  if (made == 0) return SecretMemory::kNone;
  void* const arena = OPENSSL_secure_malloc(kArena); // all of it
  if (arena == nullptr) return SecretMemory::kNone;
  const bool secret = move_to_secret_memory(arena);
  if (!secret) ::madvise(arena, kArena, MADV_WIPEONFORK);
  const bool locked = ::mlock(arena, kArena) == 0;
  OPENSSL_secure_free(arena);
  if (secret) return SecretMemory::kSecret;
  return locked ? SecretMemory::kLocked : SecretMemory::kNone;
}

} // namespace

void wipe(std::span<std::uint8_t> bytes) noexcept { OPENSSL_cleanse(bytes.data(), bytes.size()); }

bool equal_constant_time(BytesView left, BytesView right) noexcept {
  return left.size() == right.size() && CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;
}

SecretMemory protect_process() noexcept {
  static const SecretMemory kMemory = [] {
    ::prctl(PR_SET_DUMPABLE, 0);
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
    return make_arena();
  }();
  return kMemory;
}

const char* describe(SecretMemory memory) noexcept {
  switch (memory) {
  case SecretMemory::kSecret: return "memory that the kernel hides (memfd_secret)";
  case SecretMemory::kLocked: return "locked memory (the kernel has no memfd_secret)";
  case SecretMemory::kNone: break;
  }
  return "ordinary memory (the limit of locked memory is too low: ulimit -l)";
}

namespace internal {

bool has_secret_room() noexcept { return CRYPTO_secure_malloc_initialized() != 0 && CRYPTO_secure_used() < kRoom; }

std::uint8_t* allocate_secret(std::size_t size) {
  if (size == 0) return nullptr;
  if (size <= kLargest && has_secret_room()) {
    if (auto* const apart = static_cast<std::uint8_t*>(OPENSSL_secure_zalloc(size))) return apart;
  }
  return require_object(static_cast<std::uint8_t*>(OPENSSL_zalloc(size)), "memory for a secret");
}

void free_secret(std::uint8_t* bytes, std::size_t size) noexcept { OPENSSL_secure_clear_free(bytes, size); }

} // namespace internal
} // namespace tcfdl::crypto
