// Receipts: what an instance states of a task that it ran, and whether that can be believed. docs/formats/receipt.md.
#pragma once

#include "base/clock.hpp"
#include "wire/proto/receipt.pb.h"
#include "wire/signed.hpp"

#include <optional>
#include <vector>

namespace tcfdl::wire {

/// The longest receipt, bytes; most of it is the descriptor.
constexpr std::size_t kMaxReceipt = 256UL * 1024;

/// The sealed stream of a receipt, after that of its result.
constexpr std::string_view kReceiptDirection = "receipt";

constexpr std::size_t kReceiptSaltSize = 32;

enum class ReceiptBody : std::uint8_t { kInput, kOutput };

/// The salted hash of a body that arrives in pieces. One thread at a time; spent after `finish()`.
class ReceiptHash {
public:
  ReceiptHash(ReceiptBody body, BytesView salt);
  void update(BytesView piece) { hash_.update(piece); }
  [[nodiscard]] crypto::Sha256Digest finish() { return hash_.finish(); }

private:
  crypto::Sha256 hash_;
};

/// Signs a statement with the instance's key, beside the certificate of that key and the function's descriptor.
Receipt sign_receipt(const crypto::SigningKey& instance, const ReceiptStatement& statement, const Signed& certificate,
                     const Signed& descriptor);

/// What is held of a receipt. All are asked for, `kInput` and `kOutput` where the body is at hand.
enum class ReceiptCheck : std::uint8_t {
  kForm,                  ///< it parses, and its parts have their sizes
  kCertificate,           ///< the authority signed the instance's certificate
  kRole,                  ///< which is one of an instance
  kSignature,             ///< the instance signed the statement
  kInstance,              ///< instance, node and cluster are the certificate's
  kMeasurement,           ///< so is the measurement
  kFunction,              ///< so is the function
  kTeeKind,               ///< so is the kind of TEE
  kAssurance,             ///< so is the class
  kPolicyVersion,         ///< so is the version of the attestation policy
  kTime,                  ///< the certificate was valid from start to end, which is not ahead
  kDescriptor,            ///< the owner signed the descriptor
  kOwner,                 ///< which is of the function, version and owner
  kDescriptorMeasurement, ///< and of the measurement
  kAdmitted,              ///< and admits kind of TEE, class, cluster and protection
  kInput,                 ///< the input's hash
  kOutput,                ///< the output's hash
};

/// The name of a check as people and programs read it, as `measurement`.
std::string_view receipt_check_name(ReceiptCheck check) noexcept;

struct ReceiptQuestion {
  const crypto::VerifyKey& authority; ///< pinned; outlives the question
  UnixSeconds now;
  std::optional<BytesView> input;
  std::optional<BytesView> output;
};

struct ReceiptReason {
  ReceiptCheck check;
  std::string text;
};

/// The outcome of every check. Nothing is accepted by default.
class ReceiptVerdict {
public:
  explicit ReceiptVerdict(std::vector<ReceiptCheck> wanted) : wanted_(std::move(wanted)) {}

  /// Whether all wanted checks were made and none refused.
  [[nodiscard]] bool accepted() const;
  [[nodiscard]] const std::vector<ReceiptReason>& reasons() const noexcept { return reasons_; }
  [[nodiscard]] const std::vector<ReceiptCheck>& passed() const noexcept { return passed_; }

  /// What the receipt says, whether accepted or not.
  [[nodiscard]] const ReceiptStatement& unverified_statement() const noexcept { return statement_; }
  /// What it says; UNAUTHENTICATED with the first reason unless it is accepted.
  [[nodiscard]] Result<ReceiptStatement> outcome() const;

  void set_statement(ReceiptStatement statement) { statement_ = std::move(statement); }
  /// Notes the result of a check.
  void note(ReceiptCheck check, const Status& result);

private:
  std::vector<ReceiptCheck> wanted_;
  std::vector<ReceiptCheck> passed_;
  std::vector<ReceiptReason> reasons_;
  ReceiptStatement statement_;
};

/// Judges a receipt from wherever, without any network. All checks are made, so that all reasons are told.
ReceiptVerdict verify_receipt(BytesView receipt, const ReceiptQuestion& question);

} // namespace tcfdl::wire
