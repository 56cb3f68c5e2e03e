#include "wire/hangup_watcher.hpp"

#include <array>
#include <poll.h>
#include <stdexcept>
#include <sys/epoll.h>
#include <sys/eventfd.h>

namespace tcfdl::wire {

bool has_hung_up(int fd) noexcept {
  pollfd entry{fd, POLLRDHUP, 0};
  return ::poll(&entry, 1, 0) > 0;
}

HangupWatcher::HangupWatcher()
    : epoll_(::epoll_create1(EPOLL_CLOEXEC)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = 0;
  if (!epoll_.valid() || !wake_.valid() || ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) != 0) {
    throw std::runtime_error("cannot watch connections: too many open files");
  }
  thread_ = std::thread([this] { loop(); });
}

HangupWatcher::~HangupWatcher() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  ::eventfd_write(wake_.get(), 1);
  thread_.join();
}

std::uint64_t HangupWatcher::add(int fd, Deadline deadline, std::stop_source stop) {
  const std::scoped_lock lock(mutex_);
  const auto id = next_++;
  entries_.emplace(id, Entry{fd, deadline, std::move(stop)});
  if (fd >= 0) {
    epoll_event event{};
    event.events = EPOLLRDHUP;
    event.data.u64 = id;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
  }
  if (deadline.when() < sleeping_until_) ::eventfd_write(wake_.get(), 1);
  return id;
}

void HangupWatcher::remove(std::uint64_t id) {
  const std::scoped_lock lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  if (found->second.fd >= 0) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, found->second.fd, nullptr);
  entries_.erase(found);
}

void HangupWatcher::loop() {
  std::array<epoll_event, 64> events{};
  for (;;) {
    const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), pause_millis());
    for (int i = 0; i < count; ++i) {
      const auto id = events[static_cast<std::size_t>(i)].data.u64;
      if (id != 0) hang_up(id);
      eventfd_t ignored = 0;
      if (id == 0) ::eventfd_read(wake_.get(), &ignored);
    }
    expire();
    const std::scoped_lock lock(mutex_);
    if (stopping_) return;
  }
}

int HangupWatcher::pause_millis() {
  const std::scoped_lock lock(mutex_);
  sleeping_until_ = Deadline::Clock::time_point::max();
  for (const auto& [id, entry] : entries_) {
    if (!entry.stop.stop_requested()) sleeping_until_ = std::min(sleeping_until_, entry.deadline.when());
  }
  if (sleeping_until_ == Deadline::Clock::time_point::max()) return -1;
  return static_cast<int>(std::min<std::int64_t>(Deadline(sleeping_until_).left_millis(), 60'000));
}

void HangupWatcher::expire() {
  const std::scoped_lock lock(mutex_);
  for (auto& [id, entry] : entries_) {
    if (entry.deadline.expired()) entry.stop.request_stop();
  }
}

void HangupWatcher::hang_up(std::uint64_t id) {
  const std::scoped_lock lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, found->second.fd, nullptr);
  found->second.fd = -1;
  found->second.stop.request_stop();
}

} // namespace tcfdl::wire
