// Receipts at the instance: hashed while the data passes, signed with the key that was made inside.
// docs/formats/receipt.md.
#pragma once

#include "crypto/sealing.hpp"
#include "sdk/identity.hpp"
#include "wire/receipt.hpp"

#include <tcfdl/client.hpp>

namespace tcfdl::wire {
class HopRoute;
}

namespace tcfdl::sdk {

/// One task's receipt in the making. Its salts are its own. One thread.
class ReceiptDraft {
public:
  ReceiptDraft();
  void add_input(BytesView piece) { input_.update(piece); }
  void add_output(BytesView piece) { output_.update(piece); }

private:
  friend class ReceiptIssuer;

  crypto::Salt input_salt_;
  crypto::Salt output_salt_;
  wire::ReceiptHash input_;
  wire::ReceiptHash output_;
  std::int64_t started_ms_;
};

/// What a receipt says of its task beside the data. References outlive it.
struct ReceiptTask {
  const wire::SealedHeader& header;
  const wire::Lease& lease;
  const wire::HopRoute* route; ///< nullptr: it came over no path of proxies
};

/// What all receipts of an instance have in common. Thread-safe; the identity outlives it.
class ReceiptIssuer {
public:
  ReceiptIssuer(const Identity& identity, wire::Signed descriptor)
      : identity_(identity), descriptor_(std::move(descriptor)) {}

  /// The receipt of a task that ended now; the draft is spent. FAILED_PRECONDITION when this process has no descriptor,
  /// RESOURCE_EXHAUSTED when the receipt would be longer than receipts are.
  [[nodiscard]] Result<Bytes> issue(ReceiptDraft& draft, const ReceiptTask& task) const;

private:
  const Identity& identity_;
  const wire::Signed descriptor_;
};

/// Reads a body and notes it in the draft, where there is one.
class NotingReader final : public BodyReader {
public:
  NotingReader(BodyReader& body, std::optional<ReceiptDraft>& draft) : body_(body), draft_(draft) {}
  Result<std::size_t> read(std::span<std::uint8_t> out) override;
  /// Notes what was not read.
  Status note_rest();

private:
  BodyReader& body_;
  std::optional<ReceiptDraft>& draft_;
};

/// Writes a body and notes it in the draft, where there is one.
class NotingWriter final : public BodyWriter {
public:
  NotingWriter(BodyWriter& body, std::optional<ReceiptDraft>& draft) : body_(body), draft_(draft) {}
  Status write(BytesView piece) override;
  Status flush() override { return body_.flush(); }

private:
  BodyWriter& body_;
  std::optional<ReceiptDraft>& draft_;
};

} // namespace tcfdl::sdk
