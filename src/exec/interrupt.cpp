#include "exec/interrupt.hpp"

#include <array>
#include <cerrno>
#include <sys/eventfd.h>
#include <system_error>

namespace tcfdl::exec {

Signal::Signal() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!fd_.valid()) throw std::system_error(errno, std::system_category(), "cannot make an event descriptor");
}

void Signal::raise() const noexcept { (void)::eventfd_write(fd_.get(), 1); }

Interrupt::Interrupt(const std::stop_token& stop, Deadline deadline)
    : deadline_(deadline), on_stop_(stop, Raise{&signal_}) {}

Status Interrupt::wait(std::span<pollfd> entries) const {
  std::array<pollfd, 4> all{};
  std::ranges::copy(entries, all.begin());
  auto& raised = all[entries.size()];
  raised = {signal_.fd(), POLLIN, 0};
  for (;;) {
    const auto left = std::min<std::int64_t>(deadline_.left_millis(), 1 << 30);
    const int ready = ::poll(all.data(), entries.size() + 1, static_cast<int>(left));
    if (ready < 0 && errno != EINTR) return Error(Code::kInternal, "cannot wait for the program");
    if (deadline_.expired()) return Deadline::exceeded("the program's run");
    if (ready <= 0) continue;
    if (raised.revents != 0) return Error(Code::kCancelled, "the task was cancelled while the program ran");
    std::copy_n(all.begin(), entries.size(), entries.begin());
    return {};
  }
}

} // namespace tcfdl::exec
