// Bodies of tasks at the command line: from a file or standard input, to a file or standard output.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <filesystem>
#include <string>
#include <tcfdl/client.hpp>

namespace tcfdl::cli {

/// Reads a file or, for `-`, standard input; at most 1 GiB.
Result<Bytes> read_body(const std::string& in);

/// Writes to a file or, for `-`, to standard output. A device or pipe is written to as it is.
Status write_body(const std::string& out, BytesView body);

/// Reads a body while it is sent. A file begins again for another attempt; so does what came by a pipe as long as that
/// is not more than 1 MiB.
class InputBody final : public BodyReader {
public:
  /// A file or, for `-`, standard input.
  static Result<std::unique_ptr<InputBody>> open(const std::string& in);
  Result<std::size_t> read(std::span<std::uint8_t> out) override;
  [[nodiscard]] std::optional<std::uint64_t> size() const override { return size_; }
  bool rewind() override;

private:
  InputBody() = default;
  Result<std::size_t> receive(std::span<std::uint8_t> out);

  UniqueFd file_;                     // nothing: standard input
  std::optional<std::uint64_t> size_; // of a regular file, which begins where it did
  off_t begin_ = 0;
  Bytes kept_; // of a pipe
  std::size_t position_ = 0;
  bool is_lost_ = false; // the beginning of a pipe is kept no more
};

/// Takes a result while it comes. A regular file is there when `finish` was called, and not before.
class OutputBody final : public BodyWriter {
public:
  /// A file or, for `-`, standard output.
  explicit OutputBody(std::string out) : out_(std::move(out)) {}
  OutputBody(const OutputBody&) = delete;
  OutputBody& operator=(const OutputBody&) = delete;
  ~OutputBody() override;
  Status write(BytesView piece) override;
  Status finish();
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

private:
  Status open();

  std::string out_;
  int fd_ = -1; // once something was written; file_'s or standard output
  UniqueFd file_;
  std::filesystem::path temporary_; // renamed at the end; empty for what is no regular file
  std::uint64_t size_ = 0;
};

} // namespace tcfdl::cli
