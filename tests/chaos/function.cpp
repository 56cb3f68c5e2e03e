// A function under faults: its body is "PORT MS ID". It tells the journal on that port that it runs ID, works so many
// milliseconds and gives ID.
#include <arpa/inet.h>
#include <charconv>
#include <condition_variable>
#include <mutex>
#include <sys/socket.h>
#include <tcfdl/function.hpp>
#include <unistd.h>

namespace {

using tcfdl::Bytes;
using tcfdl::Code;
using tcfdl::Error;
using tcfdl::Result;

Result<unsigned> take_number(std::string_view& text) {
  unsigned number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  const auto used = static_cast<std::size_t>(parsed.ptr - text.data());
  if (parsed.ec != std::errc() || used == text.size()) {
    return Error(Code::kInvalidArgument, "the body is no 'PORT MS ID'");
  }
  text.remove_prefix(used + 1);
  return number;
}

/// Loopback keeps what was sent until the journal reads it, whatever becomes of this process.
void note(unsigned port, std::string_view id) {
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_in journal{};
  journal.sin_family = AF_INET;
  journal.sin_port = htons(static_cast<std::uint16_t>(port));
  journal.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  (void)::sendto(fd, id.data(), id.size(), 0, reinterpret_cast<const sockaddr*>(&journal), sizeof(journal));
  ::close(fd);
}

Result<Bytes> handle(tcfdl::TaskContext& task, tcfdl::BytesView body) {
  auto id = tcfdl::as_text(body);
  const auto port = take_number(id);
  if (!port) return port.error();
  const auto millis = take_number(id);
  if (!millis) return millis.error();
  note(*port, id);
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, task.cancelled(), std::chrono::milliseconds(*millis), [] { return false; });
  return tcfdl::to_bytes(id);
}

} // namespace

int main() { return tcfdl::serve(handle); }
