// A function under faults: its body is "HOST PORT MS ID". It tells the journal at that address that it runs ID, works
// so many milliseconds and gives ID. What comes after a further space fills the body and is not looked at.
#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <condition_variable>
#include <mutex>
#include <string>
#include <sys/socket.h>
#include <tcfdl/function.hpp>
#include <unistd.h>

namespace {

using tcfdl::Bytes;
using tcfdl::Code;
using tcfdl::Error;
using tcfdl::Result;

Error no_body() { return Error(Code::kInvalidArgument, "the body is no 'HOST PORT MS ID'"); }

std::string_view take_word(std::string_view& text) {
  const auto word = text.substr(0, text.find(' '));
  text.remove_prefix(std::min(text.size(), word.size() + 1));
  return word;
}

Result<unsigned> take_number(std::string_view& text) {
  const auto word = take_word(text);
  unsigned number = 0;
  const auto parsed = std::from_chars(word.data(), word.data() + word.size(), number);
  if (parsed.ec != std::errc() || parsed.ptr != word.data() + word.size()) return no_body();
  return number;
}

/// Loopback keeps what was sent until the journal reads it, whatever becomes of this process.
void note(const std::string& host, unsigned port, std::string_view id) {
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_in journal{};
  journal.sin_family = AF_INET;
  journal.sin_port = htons(static_cast<std::uint16_t>(port));
  ::inet_pton(AF_INET, host.c_str(), &journal.sin_addr);
  (void)::sendto(fd, id.data(), id.size(), 0, reinterpret_cast<const sockaddr*>(&journal), sizeof(journal));
  ::close(fd);
}

Result<Bytes> handle(tcfdl::TaskContext& task, tcfdl::BytesView body) {
  auto text = tcfdl::as_text(body);
  const std::string host(take_word(text));
  const auto port = take_number(text);
  if (!port) return port.error();
  const auto millis = take_number(text);
  if (!millis) return millis.error();
  const auto id = take_word(text);
  if (id.empty()) return no_body();
  note(host, *port, id);
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, task.cancelled(), std::chrono::milliseconds(*millis), [] { return false; });
  return tcfdl::to_bytes(id);
}

} // namespace

int main() { return tcfdl::serve(handle); }
