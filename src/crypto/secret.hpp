// Octets that are wiped when they are no longer needed. They have no text form, on purpose.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <tcfdl/bytes.hpp>
#include <utility>

namespace tcfdl::crypto {

/// Overwrites memory in a way that the compiler keeps.
void wipe(std::span<std::uint8_t> bytes) noexcept;

/// Whether both hold the same octets; the time depends on the lengths only.
[[nodiscard]] bool equal_constant_time(BytesView left, BytesView right) noexcept;

/// A secret of a length known at run time. Move-only; a moved-from object is empty. Not synchronised.
class SecretBytes {
public:
  SecretBytes() = default;
  /// `size` zero octets.
  explicit SecretBytes(std::size_t size) : bytes_(std::make_unique<std::uint8_t[]>(size)), size_(size) {}
  SecretBytes(SecretBytes&& other) noexcept
      : bytes_(std::move(other.bytes_)), size_(std::exchange(other.size_, std::size_t{0})) {}
  SecretBytes& operator=(SecretBytes&& other) noexcept {
    if (this != &other) {
      wipe(span());
      bytes_ = std::move(other.bytes_);
      size_ = std::exchange(other.size_, std::size_t{0});
    }
    return *this;
  }
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;
  ~SecretBytes() { wipe(span()); }

  static SecretBytes copy_of(BytesView bytes) {
    SecretBytes copy(bytes.size());
    std::ranges::copy(bytes, copy.data());
    return copy;
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] std::uint8_t* data() noexcept { return bytes_.get(); }
  [[nodiscard]] const std::uint8_t* data() const noexcept { return bytes_.get(); }
  [[nodiscard]] std::span<std::uint8_t> span() noexcept { return {bytes_.get(), size_}; }
  [[nodiscard]] BytesView span() const noexcept { return {bytes_.get(), size_}; }

private:
  std::unique_ptr<std::uint8_t[]> bytes_;
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
