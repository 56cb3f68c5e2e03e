// The key that owns names of functions. docs/formats/owner_key.md.
#pragma once

#include "crypto/signature.hpp"

#include <filesystem>

namespace tcfdl::cli {

/// Makes a key in a file of its own, mode 0600. ALREADY_EXISTS when there is one: what it owns would be lost.
Result<crypto::SigningKey> create_owner_key(const std::filesystem::path& file);

/// NOT_FOUND says how to make one; PERMISSION_DENIED when others could read it; DATA_LOSS when it is damaged.
Result<crypto::SigningKey> read_owner_key(const std::filesystem::path& file);

/// `owner.key` in the directory of contexts.
std::filesystem::path default_owner_key();

/// The key of a file, or the default one where `file` is empty; that is made when it is missing, which is said on
/// standard error.
Result<crypto::SigningKey> choose_owner_key(const std::string& file);

} // namespace tcfdl::cli
