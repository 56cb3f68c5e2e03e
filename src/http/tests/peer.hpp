// A bare TCP peer that says to a server whatever a test wants.
#pragma once

#include "http/client_socket.hpp"

#include <gtest/gtest.h>
#include <string>

namespace tcfdl::http {

class Peer {
public:
  explicit Peer(std::uint16_t port) : socket_(ClientSocket::connect("127.0.0.1", port, limit()).value()) {}

  void say(std::string_view text) {
    auto bytes = as_bytes(text);
    while (!bytes.empty()) {
      const auto sent = socket_.send_some(bytes, limit());
      if (!sent || *sent == 0) return; // the server refused the rest
      bytes = bytes.subspan(*sent);
    }
  }

  /// What was heard up to and with `mark`; the rest stays for the next call. Without the mark: all until the end.
  std::string hear(std::string_view mark) {
    for (;;) {
      const auto at = as_text(heard_).find(mark);
      if (at != std::string_view::npos) return cut(at + mark.size());
      const auto got = socket_.receive(heard_, limit());
      if (!got || *got == 0) return cut(heard_.size());
    }
  }

  std::string hear_all() { return hear("\xFF the end \xFF"); }

  /// Whether the server closes without a further word.
  bool ends() { return hear_all().empty(); }

private:
  static Deadline limit() { return Deadline::after(std::chrono::seconds(20)); }

  std::string cut(std::size_t count) {
    std::string part(as_text(heard_).substr(0, count));
    heard_.erase(heard_.begin(), heard_.begin() + static_cast<std::ptrdiff_t>(count));
    return part;
  }

  ClientSocket socket_;
  Bytes heard_;
};

} // namespace tcfdl::http
