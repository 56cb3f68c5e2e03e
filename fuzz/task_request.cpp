// Messages from peers that nobody has authenticated yet: frames end in a message or an error, and what parses can be
// checked and written again.
#include "base/fd.hpp"
#include "wire/capsule.hpp"
#include "wire/descriptor.hpp"
#include "wire/socket.hpp"

#include <array>
#include <cstdlib>
#include <sys/socket.h>

namespace {

using namespace tcfdl;
using namespace tcfdl::wire;

template <class Message> void round_trip(BytesView input) {
  const auto message = parse<Message>(input);
  if (!message) return;
  const auto again = parse<Message>(serialize(*message));
  if (!again || serialize(*again) != serialize(*message)) std::abort();
}

/// Nothing in the input is signed by the authority, which is made here.
void nothing_forged(BytesView input) {
  static const auto kAuthority = crypto::SigningKey::generate();
  const auto& key = kAuthority.public_key();
  if (const auto message = parse<Signed>(input)) {
    (void)check_descriptor(*message);
    if (verify_certificate(key, *message, {Role::ROLE_CLIENT, Role::ROLE_INSTANCE}, 1)) std::abort();
  }
  if (const auto message = parse<Capsule>(input)) {
    (void)capsule_header_unverified(*message);
    if (verify_turned_capsule(*message, key, 1)) std::abort();
  }
  if (const auto message = parse<KeyPackage>(input)) {
    if (verify_key_package(key, *message, 1)) std::abort();
  }
}

/// The input as what a peer sends before it goes away.
void receive_frames(BytesView input) {
  std::array<int, 2> ends{};
  if (input.size() > 4096 || ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return;
  SocketConnection receiver{UniqueFd(ends[0])};
  {
    const UniqueFd sender(ends[1]);
    if (::send(sender.get(), input.data(), input.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(input.size())) return;
  }
  Bytes payload;
  const auto deadline = Deadline::after(std::chrono::seconds(5));
  while (receiver.receive(payload, deadline)) {
    if (payload.size() > kMaxFrame) std::abort();
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static auto* const kUnused = google::protobuf::SetLogHandler(nullptr);
  (void)kUnused;
  const BytesView input(data, size);
  round_trip<TaskRequest>(input);
  round_trip<TaskReply>(input);
  round_trip<TaskManagerRequest>(input);
  round_trip<AuthenticatedRequest>(input);
  round_trip<AuthorityRequest>(input);
  round_trip<RegistryRequest>(input);
  round_trip<NodeReport>(input);
  round_trip<InstanceReport>(input);
  round_trip<LinkRequest>(input);
  nothing_forged(input);
  receive_frames(input);
  return 0;
}
