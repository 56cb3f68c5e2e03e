#include "wire/signed.hpp"

#include <algorithm>

namespace tcfdl::wire {

Bytes labelled(std::string_view label, std::initializer_list<BytesView> content) {
  constexpr std::string_view kPrefix = "tcfdl/1/";
  std::size_t size = kPrefix.size() + label.size() + 1;
  for (const auto part : content) size += part.size();
  Bytes bytes(size); // the zero after the label is there already
  auto at = std::ranges::copy(kPrefix, bytes.begin()).out;
  at = std::ranges::copy(label, at).out + 1;
  for (const auto part : content) at = std::ranges::copy(part, at).out;
  return bytes;
}

Bytes sign_labelled(const crypto::SigningKey& key, std::string_view label, std::initializer_list<BytesView> content) {
  return key.sign(labelled(label, content));
}

Status verify_labelled(const crypto::VerifyKey& key, std::string_view label, std::initializer_list<BytesView> content,
                       BytesView signature) {
  return key.verify(labelled(label, content), signature);
}

Lifetime lifetime_of(const Certificate& certificate) noexcept { return {certificate.issued(), certificate.expires()}; }

Result<Certificate> verify_certificate(const crypto::VerifyKey& authority, const Signed& unverified,
                                       std::initializer_list<Role> roles, std::int64_t now) {
  TCFDL_ASSIGN(auto certificate, verify_renewable(authority, unverified, roles, now));
  if (lifetime_of(certificate).is_of_the_future(now)) {
    return make_error(Code::kUnauthenticated, "the certificate of {} is of the future; check this machine's clock",
                      certificate.subject());
  }
  return certificate;
}

Result<Certificate> verify_renewable(const crypto::VerifyKey& authority, const Signed& unverified,
                                     std::initializer_list<Role> roles, std::int64_t now) {
  TCFDL_ASSIGN(auto certificate, verify<Certificate>(authority, unverified));
  if (certificate.expires() <= now) {
    return make_error(Code::kUnauthenticated, "the certificate of {} has expired", certificate.subject());
  }
  if (std::ranges::find(roles, certificate.role()) == roles.end()) {
    return make_error(Code::kPermissionDenied, "{} is no subject for this: its role is {}", certificate.subject(),
                      Role_Name(certificate.role()));
  }
  return certificate;
}

Result<Descriptor> verify_descriptor(const Signed& unverified) {
  TCFDL_ASSIGN(const auto claimed, parse<Descriptor>(unverified.statement()));
  TCFDL_TRY(parse_function_name(claimed.name()));
  TCFDL_ASSIGN(const auto owner, crypto::VerifyKey::from_bytes(as_bytes(claimed.owner_key())));
  return verify<Descriptor>(owner, unverified);
}

Result<KeyScope> verify_key_package(const crypto::VerifyKey& authority, const KeyPackage& unverified,
                                    std::int64_t now) {
  const auto scope_hash = crypto::sha256(as_bytes(unverified.scope()));
  const auto sealed_hash = crypto::sha256(as_bytes(unverified.sealed()));
  TCFDL_TRY(verify_labelled(authority, "KeyPackage", {scope_hash, sealed_hash}, as_bytes(unverified.signature())));
  TCFDL_ASSIGN(auto scope, parse<KeyScope>(unverified.scope()));
  if (scope.expires() <= now) {
    return make_error(Code::kUnauthenticated, "the key of {} to {} has expired", scope.holder(), scope.function());
  }
  return scope;
}

KeyPackage sign_key_package(const crypto::SigningKey& authority, const KeyScope& scope, Bytes sealed) {
  KeyPackage package;
  package.set_scope(scope.SerializeAsString());
  package.set_sealed(field(sealed));
  const auto scope_hash = crypto::sha256(as_bytes(package.scope()));
  const auto sealed_hash = crypto::sha256(sealed);
  package.set_signature(field(sign_labelled(authority, "KeyPackage", {scope_hash, sealed_hash})));
  return package;
}

bool assurance_meets(std::string_view has, std::string_view wanted) {
  if (has.empty() || wanted.empty()) return false;
  return has == wanted || (has == "hardware" && wanted == "software");
}

bool grants_allow(const Certificate& certificate, std::string_view function) {
  return std::ranges::any_of(certificate.grants(), [&](const std::string& grant) {
    if (grant.ends_with('*')) return function.starts_with(std::string_view(grant).substr(0, grant.size() - 1));
    return function == grant;
  });
}

} // namespace tcfdl::wire
