// Shifts the time of day of the process that this is loaded into (LD_PRELOAD) or linked with, as if somebody had set
// the machine's clock: by so many seconds as the file says that TCFDL_TEST_CLOCK names, or that stands beside the
// directory of an instance's own sockets. Steady clocks are as they are. Without a file nothing is shifted.
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

namespace {

using Shift = std::atomic<std::int64_t>;

/// The place of the shift, once there is one. Called by what runs before main, so that it allocates nothing.
const Shift* shift_in_file() {
  static std::atomic<const Shift*> found = nullptr;
  if (const auto* known = found.load()) return known;
  if (::environ == nullptr) return nullptr;
  char path[512];
  const char* name = std::getenv("TCFDL_TEST_CLOCK");
  const char* own = std::getenv("TCFDL_RUN_DIR");
  if (name == nullptr && own == nullptr) return nullptr;
  const int length = name != nullptr ? std::snprintf(path, sizeof path, "%s", name)
                                     : std::snprintf(path, sizeof path, "%s/../clock", own);
  if (length < 0 || static_cast<std::size_t>(length) >= sizeof path) return nullptr;
  const int before = errno;
  const int file = ::open(path, O_RDONLY | O_CLOEXEC);
  if (file >= 0) {
    void* memory = ::mmap(nullptr, sizeof(Shift), PROT_READ, MAP_SHARED, file, 0);
    ::close(file);
    if (memory != MAP_FAILED) found = static_cast<const Shift*>(memory);
  }
  errno = before;
  return found;
}

std::int64_t shift() {
  const auto* place = shift_in_file();
  return place == nullptr ? 0 : place->load();
}

} // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* time) noexcept {
  const auto done = static_cast<int>(::syscall(SYS_clock_gettime, clock, time));
  if (done == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) time->tv_sec += shift();
  return done;
}

int gettimeofday(timeval* time, void* /*zone*/) noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  *time = {.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
  return 0;
}

time_t time(time_t* also) noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  if (also != nullptr) *also = now.tv_sec;
  return now.tv_sec;
}

/// Waits until a time of day: the kernel's, which nobody shifted.
int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex, const timespec* until) {
  const timespec kernels{.tv_sec = until->tv_sec - shift(), .tv_nsec = until->tv_nsec};
  return ::pthread_cond_clockwait(condition, mutex, CLOCK_REALTIME, &kernels);
}

} // extern "C"
