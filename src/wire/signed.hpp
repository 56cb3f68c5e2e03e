// Signed statements: what is signed is the serialised message under the name of its type. docs/formats/statements.md.
#pragma once

#include "base/lifetime.hpp"
#include "crypto/hash.hpp"
#include "crypto/signature.hpp"
#include "wire/messages.hpp"

namespace tcfdl::wire {

/// The bytes that a signature under `label` covers: `tcfdl/1/<label>` ‖ 0 ‖ content.
Bytes labelled(std::string_view label, std::initializer_list<BytesView> content);

/// Of the random bytes that a peer signs to prove that it holds a key.
constexpr std::size_t kNonceSize = 32;

Bytes sign_labelled(const crypto::SigningKey& key, std::string_view label, std::initializer_list<BytesView> content);

/// UNAUTHENTICATED when the signature does not fit.
Status verify_labelled(const crypto::VerifyKey& key, std::string_view label, std::initializer_list<BytesView> content,
                       BytesView signature);

/// The last part of a message's type name: the label of its statements.
template <class Message> std::string label_of() {
  const auto name = Message().GetTypeName();
  return name.substr(name.rfind('.') + 1);
}

template <class Message> Signed sign(const crypto::SigningKey& key, const Message& message) {
  Signed result;
  result.set_statement(message.SerializeAsString());
  result.set_signature(field(sign_labelled(key, label_of<Message>(), {as_bytes(result.statement())})));
  return result;
}

/// The statement, if `key` signed it as one of this type.
template <class Message> Result<Message> verify(const crypto::VerifyKey& key, const Signed& unverified) {
  const auto label = label_of<Message>();
  auto checked = verify_labelled(key, label, {as_bytes(unverified.statement())}, as_bytes(unverified.signature()));
  if (!checked) return checked.error().within(label);
  return parse<Message>(unverified.statement());
}

Lifetime lifetime_of(const Certificate& certificate) noexcept;

/// A certificate that the authority signed, in one of the wanted roles, valid at `now`.
/// UNAUTHENTICATED for a foreign signature, an expired one and one of the future, PERMISSION_DENIED for another role.
Result<Certificate> verify_certificate(const crypto::VerifyKey& authority, const Signed& unverified,
                                       std::initializer_list<Role> roles, std::int64_t now);

/// The same for those who give its holder the next one: it may be of the future, as all are once clocks were set back.
Result<Certificate> verify_renewable(const crypto::VerifyKey& authority, const Signed& unverified,
                                     std::initializer_list<Role> roles, std::int64_t now);

/// A descriptor, checked against the owner's key that it names: whether that owner owns the name is the registry's to
/// say.
Result<Descriptor> verify_descriptor(const Signed& unverified);

/// A key package that the authority signed, not expired; the scope is returned.
Result<KeyScope> verify_key_package(const crypto::VerifyKey& authority, const KeyPackage& unverified, std::int64_t now);

KeyPackage sign_key_package(const crypto::SigningKey& authority, const KeyScope& scope, Bytes sealed);

/// Whether what is certified in class `has` may serve where `wanted` is asked for: the same class, or hardware for
/// software. An empty class is none.
bool assurance_meets(std::string_view has, std::string_view wanted);

/// Whether one of the grants names the function: its name, or a prefix before a final `*`.
bool grants_allow(const Certificate& certificate, std::string_view function);

} // namespace tcfdl::wire
