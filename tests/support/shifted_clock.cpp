#include "support/shifted_clock.hpp"

#include "base/fd.hpp"
#include "node/host.hpp"

#include <atomic>
#include <cstdlib>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdexcept>
#include <sys/mman.h>
#include <unistd.h>

namespace tcfdl::test {

namespace {

/// Where this process and its children find the shift, as long as it lives: what has looked there once keeps it mapped.
struct SharedShift {
  SharedShift() : path((directory.path() / "clock").string()) {
    const UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    void* memory = MAP_FAILED;
    if (file.valid() && ::ftruncate(file.get(), sizeof *seconds) == 0) {
      memory = ::mmap(nullptr, sizeof *seconds, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
    }
    if (memory == MAP_FAILED) throw std::runtime_error("no shared memory in " + path);
    seconds = static_cast<std::int64_t*>(memory);
    ::setenv("TCFDL_TEST_CLOCK", path.c_str(), 1);
  }

  TemporaryDirectory directory;
  const std::string path;
  std::int64_t* seconds = nullptr;
};

SharedShift& shared() {
  static SharedShift shift;
  return shift;
}

} // namespace

ShiftedClock::ShiftedClock() { set({}); }

ShiftedClock::~ShiftedClock() { set({}); }

Environment ShiftedClock::environment() const {
  const char* options = std::getenv("ASAN_OPTIONS");
  auto unordered = std::string("verify_asan_link_order=0"); // a library before the sanitizer's
  if (options != nullptr) unordered += std::string(":") + options;
  return {{"TCFDL_TEST_CLOCK", shared().path}, {"LD_PRELOAD", TCFDL_SHIFTED_CLOCK}, {"ASAN_OPTIONS", unordered}};
}

void ShiftedClock::reaches(const std::filesystem::path& state) const {
  const auto beside = node::runtime_directory(state) / "clock";
  if (::link(shared().path.c_str(), beside.c_str()) != 0) ADD_FAILURE() << "no link from the clock to " << beside;
}

void ShiftedClock::set(std::chrono::seconds shift) { std::atomic_ref(*shared().seconds).store(shift.count()); }

} // namespace tcfdl::test
