// Keys of confidential files: from the owner of a function to the attested instances of its bundle.
#include "service_manager/authority/authority.hpp"
#include "wire/confidential.hpp"
#include "wire/descriptor.hpp"

namespace tcfdl::service_manager {

wire::Signed Authority::signed_seal_key() const {
  wire::SealKey statement;
  statement.set_key(wire::field(keys_->seal_key().public_key().bytes()));
  return wire::sign(keys_->signing_key(), statement);
}

Result<crypto::SecretBytes> Authority::open_content_key(const wire::KeyPackage& unverified,
                                                        const wire::Signed& unverified_descriptor) const {
  TCFDL_ASSIGN(const auto descriptor, wire::check_descriptor(unverified_descriptor));
  return wire::open_content_key(keys_->seal_key(), unverified, descriptor);
}

Status Authority::keep_content_key(const wire::Signed& registered_descriptor, const crypto::SecretBytes& key) {
  TCFDL_ASSIGN(const auto descriptor, wire::check_descriptor(registered_descriptor));
  return keys_->put_content_key({.function = descriptor.name(), .version = descriptor.version()}, key.span());
}

} // namespace tcfdl::service_manager
