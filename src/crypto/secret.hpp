// Octets that are wiped when they are no longer needed. They have no text form, on purpose.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <tcfdl/bytes.hpp>
#include <utility>

namespace tcfdl::crypto {

/// Overwrites memory in a way that the compiler keeps.
void wipe(std::span<std::uint8_t> bytes) noexcept;

/// Whether both hold the same octets; the time depends on the lengths only.
[[nodiscard]] bool equal_constant_time(BytesView left, BytesView right) noexcept;

/// Where this process keeps private keys.
enum class SecretMemory {
  kNone,   ///< in ordinary memory
  kLocked, ///< locked: never swapped, in no dump, wiped in forked children
  kSecret, ///< memfd_secret(2): also unmapped in the kernel, so that it reads them as little as other processes
};

/// For the start of a program that holds keys, before it makes any: no dump of its memory, no tracing by other
/// processes of its user, and private keys apart (see SecretMemory) as far as there is room. Idempotent.
SecretMemory protect_process() noexcept;

[[nodiscard]] const char* describe(SecretMemory memory) noexcept;

namespace internal {
/// Wiped storage, apart where it is small and there is room. Ends the process when memory is out.
std::uint8_t* allocate_secret(std::size_t size);
void free_secret(std::uint8_t* bytes, std::size_t size) noexcept;
/// Whether there is room for another key apart.
bool has_secret_room() noexcept;
} // namespace internal

/// A secret of a length known at run time. Move-only; a moved-from object is empty. Not synchronised.
class SecretBytes {
public:
  SecretBytes() = default;
  /// `size` zero octets.
  explicit SecretBytes(std::size_t size) : bytes_(internal::allocate_secret(size)), size_(size) {}
  SecretBytes(SecretBytes&& other) noexcept
      : bytes_(std::exchange(other.bytes_, nullptr)), size_(std::exchange(other.size_, std::size_t{0})) {}
  SecretBytes& operator=(SecretBytes&& other) noexcept {
    if (this != &other) {
      internal::free_secret(bytes_, size_);
      bytes_ = std::exchange(other.bytes_, nullptr);
      size_ = std::exchange(other.size_, std::size_t{0});
    }
    return *this;
  }
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;
  ~SecretBytes() { internal::free_secret(bytes_, size_); }

  static SecretBytes copy_of(BytesView bytes) {
    SecretBytes copy(bytes.size());
    std::ranges::copy(bytes, copy.data());
    return copy;
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] std::uint8_t* data() noexcept { return bytes_; }
  [[nodiscard]] const std::uint8_t* data() const noexcept { return bytes_; }
  [[nodiscard]] std::span<std::uint8_t> span() noexcept { return {bytes_, size_}; }
  [[nodiscard]] BytesView span() const noexcept { return {bytes_, size_}; }

private:
  std::uint8_t* bytes_ = nullptr;
  std::size_t size_ = 0;
};

/// A secret of N octets, held in place. Move-only; a moved-from object holds zeros. Not synchronised.
template <std::size_t N> class SecretArray {
public:
  /// N zero octets.
  SecretArray() = default;
  SecretArray(SecretArray&& other) noexcept : bytes_(other.bytes_) { wipe(other.bytes_); }
  SecretArray& operator=(SecretArray&& other) noexcept {
    if (this != &other) {
      bytes_ = other.bytes_;
      wipe(other.bytes_);
    }
    return *this;
  }
  SecretArray(const SecretArray&) = delete;
  SecretArray& operator=(const SecretArray&) = delete;
  ~SecretArray() { wipe(bytes_); }

  static SecretArray copy_of(std::span<const std::uint8_t, N> bytes) {
    SecretArray copy;
    std::ranges::copy(bytes, copy.data());
    return copy;
  }

  [[nodiscard]] static constexpr std::size_t size() noexcept { return N; }
  [[nodiscard]] std::uint8_t* data() noexcept { return bytes_.data(); }
  [[nodiscard]] const std::uint8_t* data() const noexcept { return bytes_.data(); }
  [[nodiscard]] std::span<std::uint8_t, N> span() noexcept { return std::span<std::uint8_t, N>(bytes_); }
  [[nodiscard]] std::span<const std::uint8_t, N> span() const noexcept {
    return std::span<const std::uint8_t, N>(bytes_);
  }

private:
  std::array<std::uint8_t, N> bytes_{};
};

} // namespace tcfdl::crypto
