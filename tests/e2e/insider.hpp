// Somebody inside: with a copy of the authority's secrets, which nobody may have in earnest.
#pragma once

#include "message_queue/nats_bus.hpp"
#include "service_manager/authority/key_store.hpp"
#include "service_manager/authority/nats_operator.hpp"
#include "support/platform.hpp"

namespace tcfdl::test {

/// The authority's store as it was when this was made. Throws what it cannot open.
class AuthorityCopy {
public:
  explicit AuthorityCopy(const Platform& platform);

  [[nodiscard]] service_manager::authority::KeyStore& keys() { return *store_; }
  /// The key of the account of a cluster, or of `_service_manager`.
  [[nodiscard]] message_queue::Nkey account_key(const std::string& account);

private:
  TemporaryDirectory directory_;
  SystemClock clock_;
  std::unique_ptr<database::Database> database_;
  std::unique_ptr<service_manager::OperationLog> log_;
  std::unique_ptr<service_manager::authority::KeyStore> store_;
};

/// A connection to the message queue of a node (`service-manager` or a master), with those permissions. Throws.
std::unique_ptr<message_queue::NatsBus> connect_insider(const Platform& platform, const std::string& node,
                                                        const message_queue::Nkey& account,
                                                        message_queue::Permissions permissions);

} // namespace tcfdl::test
