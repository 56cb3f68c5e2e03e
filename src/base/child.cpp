#include "base/child.hpp"

#include <sys/prctl.h>
#include <unistd.h>

namespace tcfdl {

void begin_child(pid_t parent, int death_signal) noexcept {
  ::prctl(PR_SET_PDEATHSIG, death_signal);
  if (::getppid() != parent) ::_exit(127); // it died before the line above
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

} // namespace tcfdl
