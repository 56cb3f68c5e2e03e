#include "inference/signed_document.hpp"

#include "base/encoding.hpp"
#include "base/file.hpp"
#include "http/json.hpp"
#include "wire/descriptor.hpp"
#include "wire/signed.hpp"

namespace tcfdl::inference {
namespace {

constexpr std::size_t kLargestDocument = std::size_t{64} << 20U;

Error damaged(const std::filesystem::path& file, const std::string& why) {
  return make_error(Code::kDataLoss, "{} is damaged: {}; delete it and make it anew", file.string(), why);
}

} // namespace

Status write_signed_document(const std::filesystem::path& file, std::string_view label, const nlohmann::json& document,
                             const crypto::SigningKey& owner) {
  const auto statement = http::dump_json(document);
  const auto signature = wire::sign_labelled(owner, label, {as_bytes(statement)});
  const nlohmann::json whole{{"owner_key", to_base64url(owner.public_key().bytes())},
                             {"signature", to_base64url(signature)},
                             {"statement", statement}};
  TCFDL_TRY(make_private_directory(file.parent_path()));
  TCFDL_TRY(write_file(file, as_bytes(http::dump_json(whole, 1) + "\n"), kPrivateFile));
  return sync_directory(file.parent_path());
}

Result<Bytes> read_signed_document(const std::filesystem::path& file, std::string_view label,
                                   const crypto::VerifyKey& owner) {
  TCFDL_ASSIGN(const auto text, read_file(file, kLargestDocument));
  auto object = http::JsonObject::parse(text, file.string(), {.depth = 4, .size = kLargestDocument});
  if (!object) return damaged(file, object.error().message());
  const auto key = object->text("owner_key");
  const auto signature = from_base64url(object->text("signature"));
  const auto statement = object->text("statement");
  if (const auto good = object->finish(); !good) return damaged(file, good.error().message());
  if (!signature) return damaged(file, signature.error().message());
  if (key != to_base64url(owner.bytes())) {
    return make_error(Code::kUnauthenticated,
                      "{} is signed by another key than yours (fingerprint {}); name its owner's with --key",
                      file.string(), wire::fingerprint(owner.bytes()));
  }
  if (!wire::verify_labelled(owner, label, {as_bytes(statement)}, *signature)) {
    return make_error(Code::kUnauthenticated, "{} was changed after it was signed; delete it and make it anew",
                      file.string());
  }
  return to_bytes(statement);
}

} // namespace tcfdl::inference
