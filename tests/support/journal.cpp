#include "support/journal.hpp"

#include <arpa/inet.h>
#include <array>
#include <fmt/format.h>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>

namespace tcfdl::test {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

Journal::Journal(std::string host) : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)), host_(std::move(host)) {
  sockaddr_in here{};
  here.sin_family = AF_INET;
  ::inet_pton(AF_INET, host_.c_str(), &here.sin_addr);
  socklen_t size = sizeof(here);
  const int room = 8 << 20;
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
  if (::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&here), size) != 0 ||
      ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&here), &size) != 0) {
    throw std::runtime_error("no port for the journal");
  }
  port_ = ntohs(here.sin_port);
  reader_ = std::thread([this] { read_loop(); });
}

Journal::~Journal() {
  over_ = true;
  reader_.join();
}

void Journal::read_loop() {
  while (!over_) {
    pollfd entry{socket_.get(), POLLIN, 0};
    if (::poll(&entry, 1, 50) <= 0) continue;
    const std::scoped_lock lock(mutex_);
    take_in();
  }
}

void Journal::take_in() const {
  std::array<char, 512> text{};
  for (;;) {
    const auto got = ::recv(socket_.get(), text.data(), text.size(), MSG_DONTWAIT);
    if (got <= 0) return;
    ++runs_[std::string(text.data(), static_cast<std::size_t>(got))];
  }
}

unsigned Journal::runs(const std::string& id) const {
  const std::scoped_lock lock(mutex_);
  take_in(); // what was said before a task ended is here, whether the reader had its turn or not
  const auto found = runs_.find(id);
  return found == runs_.end() ? 0 : found->second;
}

std::string Journal::body(milliseconds work, const std::string& id) const {
  return fmt::format("{} {} {} {}", host_, port_, work.count(), id);
}

MachineNoise::MachineNoise() {
  ticker_ = std::thread([this] {
    constexpr milliseconds kStep{20};
    while (!over_) {
      const auto due = steady_clock::now() + kStep;
      std::this_thread::sleep_until(due);
      const auto late = std::chrono::duration_cast<milliseconds>(steady_clock::now() - due);
      if (late.count() > worst_) worst_ = late.count();
    }
  });
}

MachineNoise::~MachineNoise() {
  over_ = true;
  ticker_.join();
}

} // namespace tcfdl::test
