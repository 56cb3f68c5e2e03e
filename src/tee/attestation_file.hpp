// Single files of attestation interfaces, which are pseudo-files: no sizes, no renaming, each write is a request.
#pragma once

#include "base/deadline.hpp"

#include <filesystem>
#include <tcfdl/bytes.hpp>

namespace tcfdl::tee {

/// INVALID_ARGUMENT unless there are 64 bytes.
Status check_report_data_size(BytesView report_data);

/// Overwrites an existing file in one write and closes it, which is when some kernels take the value.
Status write_attestation_file(const std::filesystem::path& path, BytesView content);

/// A short text without white space at its end. A file that does not exist yet is waited for until `deadline`.
Result<std::string> read_attestation_text(const std::filesystem::path& path, Deadline deadline);

/// At least one and at most `limit` bytes. A file that does not exist yet is waited for until `deadline`.
Result<Bytes> read_attestation_file(const std::filesystem::path& path, std::size_t limit, Deadline deadline);

/// ABORTED unless `evidence` has `report_data` at `offset`: then it answers another request.
Status check_bound(BytesView evidence, std::size_t offset, BytesView report_data, std::string_view what);

} // namespace tcfdl::tee
