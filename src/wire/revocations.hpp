// What the authority has taken back, as far as it is known here. docs/formats/revocation_list.md.
#pragma once

#include "base/guarded.hpp"
#include "wire/signed.hpp"

#include <condition_variable>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <set>

namespace tcfdl::wire {

/// The largest list, bytes of its statement.
constexpr std::size_t kLargestRevocationList = std::size_t{768} << 10U;

/// The newest list of the authority that was seen; its number never goes back. Thread-safe.
class Revocations {
public:
  /// In memory alone; empty until a list comes.
  explicit Revocations(crypto::VerifyKey authority) : authority_(std::move(authority)) {}

  /// Kept in a file (mode 0600). What the file holds is checked as if it had just come; a list of another authority is
  /// dropped. DATA_LOSS for a file that is no list: a list cannot be forgotten by damage.
  static Result<std::unique_ptr<Revocations>> open(std::filesystem::path file, crypto::VerifyKey authority);

  /// Takes a list; true if it is newer than the one before, false for the same number. UNAUTHENTICATED for a foreign
  /// signature, FAILED_PRECONDITION for a lower number, INVALID_ARGUMENT for one that is too large.
  Result<bool> accept(const Signed& unverified);

  /// Of the list, 0 while there is none.
  [[nodiscard]] std::uint64_t number() const;
  /// The list itself, to be passed on; empty while there is none.
  [[nodiscard]] Signed list() const;
  /// Waits until the number is higher than `known`, or `deadline` has passed, or `end_waits` was called.
  [[nodiscard]] Signed wait_for_newer(std::uint64_t known, Deadline deadline) const;
  void end_waits();

  /// UNAUTHENTICATED when the certificate or the key that it certifies is on the list.
  [[nodiscard]] Status check(const Certificate& certificate) const;
  /// The same for a verify key alone, of 65 bytes; `holder` is for the message.
  [[nodiscard]] Status check_key(std::string_view verify_key, std::string_view holder) const;
  /// FAILED_PRECONDITION when the epoch of the function is over at `now`, Unix seconds.
  [[nodiscard]] Status check_epoch(const std::string& function, std::uint32_t epoch, std::int64_t now) const;
  /// FAILED_PRECONDITION when a higher epoch is in force, whether or not this one is still accepted.
  [[nodiscard]] Status check_in_force(const std::string& function, std::uint32_t epoch) const;

private:
  struct Epochs {
    std::uint32_t current = 0;
    std::map<std::uint32_t, std::int64_t> retired; ///< until when
  };
  /// Immutable.
  struct List {
    std::uint64_t number = 0;
    Signed signed_list;
    std::set<std::uint64_t> serials;
    std::set<std::string, std::less<>> keys; ///< hashes
    std::map<std::string, Epochs> epochs;
  };
  using ListPtr = std::shared_ptr<const List>;

  Revocations(std::filesystem::path file, crypto::VerifyKey authority)
      : authority_(std::move(authority)), file_(std::move(file)) {}
  static Result<ListPtr> parse_list(const crypto::VerifyKey& authority, const Signed& unverified);
  [[nodiscard]] ListPtr current() const;

  const crypto::VerifyKey authority_;
  const std::filesystem::path file_; // empty: none
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  ListPtr list_ = std::make_shared<const List>(); // guarded by mutex_
  bool ending_ = false;                           // guarded by mutex_
};

} // namespace tcfdl::wire
