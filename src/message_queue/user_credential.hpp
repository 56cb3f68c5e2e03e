// Who a connection is: a user's key and the JWT that says what it may do.
#pragma once

#include "base/guarded.hpp"
#include "message_queue/nkey.hpp"

namespace tcfdl::message_queue {

/// Any thread. A connection asks for the JWT whenever it connects, so a replaced one is used from the next time on; the
/// server ends a connection when the JWT that it began with expires.
class UserCredential {
public:
  UserCredential(Nkey key, std::string jwt) : key_(std::move(key)), jwt_(std::move(jwt)) {}

  [[nodiscard]] const std::string& public_text() const noexcept { return key_.public_text(); }
  [[nodiscard]] std::string jwt() const {
    return jwt_.with([](const std::string& jwt) { return jwt; });
  }
  void replace(std::string jwt) {
    jwt_.with([&](std::string& held) { held = std::move(jwt); });
  }
  [[nodiscard]] crypto::Ed25519Signature sign(BytesView nonce) const { return key_.sign(nonce); }

private:
  const Nkey key_;
  Guarded<std::string> jwt_;
};

} // namespace tcfdl::message_queue
