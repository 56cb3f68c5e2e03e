#include "wire/signed_function.hpp"

#include "base/encoding.hpp"
#include "wire/confidential.hpp"
#include "wire/descriptor.hpp"
#include "wire/strict_json.hpp"

namespace tcfdl::wire {
namespace {

constexpr int kDepth = 5;

Result<std::optional<KeyPackage>> read_content_key(const nlohmann::json& document) {
  if (!document.contains("content_key")) return std::optional<KeyPackage>();
  if (!document["content_key"].is_string()) return Error(Code::kInvalidArgument, "'content_key' is no text");
  TCFDL_ASSIGN(const auto bytes, from_base64url(document["content_key"].get_ref<const std::string&>()));
  TCFDL_ASSIGN(auto package, parse<KeyPackage>(bytes));
  return std::optional(std::move(package));
}

Result<SignedFunction> read(BytesView text) {
  TCFDL_ASSIGN(const auto document, parse_json_object(text, {.size = kMaxSignedFunction, .depth = kDepth}));
  TCFDL_TRY(check_json_keys(document, {"descriptor", "manifest"}, {"settings", "content_key"}));
  if (!document["descriptor"].is_string() || !document["manifest"].is_string()) {
    return Error(Code::kInvalidArgument, "'descriptor' and 'manifest' are texts");
  }
  SignedFunction function;
  TCFDL_ASSIGN(const auto descriptor, from_base64url(document["descriptor"].get_ref<const std::string&>()));
  TCFDL_ASSIGN(function.signed_descriptor, parse<Signed>(descriptor));
  function.manifest = document["manifest"].get<std::string>();
  TCFDL_ASSIGN(function.descriptor, check_bundle(function.signed_descriptor, as_bytes(function.manifest)));
  TCFDL_ASSIGN(function.parsed, parse_manifest(as_bytes(function.manifest)));
  TCFDL_ASSIGN(function.content_key, read_content_key(document));
  TCFDL_TRY(check_content_key(function.content_key, function.parsed, function.descriptor));
  const auto settings = document.value("settings", nlohmann::json::object());
  if (!settings.is_object()) return Error(Code::kInvalidArgument, "'settings' is no object");
  function.settings = settings.dump();
  return function;
}

} // namespace

Result<SignedFunction> parse_signed_function(BytesView json) {
  auto function = read(json);
  if (!function) return function.error().within("the signed function");
  return function;
}

std::string write_signed_function(const SignedFunction& function) {
  nlohmann::ordered_json document{
      {"descriptor", to_base64url(serialize(function.signed_descriptor))},
      {"manifest", function.manifest},
      {"settings",
       nlohmann::ordered_json::parse(function.settings.empty() ? "{}" : function.settings, nullptr, false)}};
  if (function.content_key) document["content_key"] = to_base64url(serialize(*function.content_key));
  return document.dump();
}

} // namespace tcfdl::wire
