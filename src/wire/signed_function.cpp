#include "wire/signed_function.hpp"

#include "base/encoding.hpp"
#include "wire/descriptor.hpp"
#include "wire/strict_json.hpp"

namespace tcfdl::wire {
namespace {

constexpr int kDepth = 5;

Result<SignedFunction> read(BytesView text) {
  TCFDL_ASSIGN(const auto document, parse_json_object(text, {.size = kMaxSignedFunction, .depth = kDepth}));
  TCFDL_TRY(check_json_keys(document, {"descriptor", "manifest"}, {"settings"}));
  if (!document["descriptor"].is_string() || !document["manifest"].is_string()) {
    return Error(Code::kInvalidArgument, "'descriptor' and 'manifest' are texts");
  }
  SignedFunction function;
  TCFDL_ASSIGN(const auto descriptor, from_base64url(document["descriptor"].get_ref<const std::string&>()));
  TCFDL_ASSIGN(function.signed_descriptor, parse<Signed>(descriptor));
  function.manifest = document["manifest"].get<std::string>();
  TCFDL_ASSIGN(function.descriptor, check_bundle(function.signed_descriptor, as_bytes(function.manifest)));
  TCFDL_ASSIGN(function.parsed, parse_manifest(as_bytes(function.manifest)));
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
  const nlohmann::ordered_json document{
      {"descriptor", to_base64url(serialize(function.signed_descriptor))},
      {"manifest", function.manifest},
      {"settings",
       nlohmann::ordered_json::parse(function.settings.empty() ? "{}" : function.settings, nullptr, false)}};
  return document.dump();
}

} // namespace tcfdl::wire
