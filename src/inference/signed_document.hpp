// Documents that their owner signed: one JSON object with the text that is signed and the signature.
// docs/formats/model_store.md.
#pragma once

#include "crypto/signature.hpp"

#include <filesystem>
#include <nlohmann/json.hpp>

namespace tcfdl::inference {

/// Replaces a file with a document that `owner` signs as one of the kind `label`.
Status write_signed_document(const std::filesystem::path& file, std::string_view label, const nlohmann::json& document,
                             const crypto::SigningKey& owner);

/// The text of a document. NOT_FOUND; DATA_LOSS where it is damaged; UNAUTHENTICATED where `owner` did not sign it.
Result<Bytes> read_signed_document(const std::filesystem::path& file, std::string_view label,
                                   const crypto::VerifyKey& owner);

} // namespace tcfdl::inference
