// A signed function in a directory: what its owner hands to whoever deploys it. docs/formats/function.md.
#pragma once

#include "cli/function_file.hpp"
#include "crypto/signature.hpp"
#include "wire/signed_function.hpp"

#include <functional>

namespace tcfdl::cli {

/// A function with the files to upload, wherever they lie.
struct SignedBundle {
  wire::SignedFunction function;
  std::vector<Bundle::Blob> blobs;                          ///< each content once
  std::shared_ptr<const TemporaryDirectory> encrypted = {}; ///< holds blobs of confidential files
};

/// The authority's key for content keys, 65 bytes; asked only for a function with confidential files.
using AskSealKey = std::function<Result<Bytes>()>;

/// Hashes the sources of a function file, encrypts the confidential ones, and signs what they are. Errors of
/// `make_bundle` and of `ask_seal_key`.
Result<SignedBundle> sign_function(const FunctionFile& function, const crypto::SigningKey& owner,
                                   const AskSealKey& ask_seal_key);

/// Writes `function.json` and `files/SHA256` into a directory that is new or empty. ALREADY_EXISTS otherwise, DATA_LOSS
/// when a source changed meanwhile.
Status write_signed(const SignedBundle& bundle, const std::filesystem::path& directory);

/// Reads and checks what `write_signed` wrote: signature, measurement, and every file. DATA_LOSS names a file that is
/// not the signed one, NOT_FOUND a missing one; otherwise errors of `wire::parse_signed_function`.
Result<SignedBundle> read_signed(const std::filesystem::path& directory);

} // namespace tcfdl::cli
