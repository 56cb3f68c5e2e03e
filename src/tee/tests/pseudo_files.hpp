// Attestation interfaces as a tree of FIFOs: each read and each write meets the thread that plays the kernel.
#pragma once

#include "base/file.hpp"

#include <fcntl.h>
#include <fstream>
#include <functional>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <thread>

namespace tcfdl::tee::test {

inline void make_fifo(const std::filesystem::path& path) {
  if (::mkfifo(path.c_str(), S_IRUSR | S_IWUSR) != 0) std::abort();
}

/// Meets one reader of a FIFO.
inline void answer(const std::filesystem::path& path, BytesView content) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!write_all(fd.get(), content)) std::abort();
}

inline void answer(const std::filesystem::path& path, std::string_view text) { answer(path, as_bytes(text)); }

/// Meets one writer of a FIFO.
inline Bytes take(const std::filesystem::path& path) { return read_file(path).value_or(Bytes()); }

/// Plays `play(request directory)` for each of `requests` directories that are made below its root, on its own thread,
/// and empties the directory afterwards.
class RequestTree {
public:
  RequestTree(int requests, std::function<void(const std::filesystem::path&)> play)
      : watch_(::inotify_init1(IN_CLOEXEC)), play_(std::move(play)) {
    if (::inotify_add_watch(watch_.get(), root().c_str(), IN_CREATE) < 0) std::abort();
    thread_ = std::thread([this, requests] {
      for (int i = 0; i < requests; ++i) serve_one();
    });
  }
  RequestTree(const RequestTree&) = delete;
  RequestTree& operator=(const RequestTree&) = delete;
  ~RequestTree() { thread_.join(); }

  [[nodiscard]] const std::filesystem::path& root() const { return directory_.path(); }
  [[nodiscard]] bool empty() const { return std::filesystem::is_empty(root()); }

private:
  void serve_one() {
    alignas(inotify_event) std::array<char, sizeof(inotify_event) + NAME_MAX + 1> event{};
    if (::read(watch_.get(), event.data(), event.size()) <= 0) std::abort();
    const auto request = root() / reinterpret_cast<const inotify_event*>(event.data())->name;
    play_(request);
    for (const auto& file : std::filesystem::directory_iterator(request)) std::filesystem::remove(file);
  }

  TemporaryDirectory directory_;
  UniqueFd watch_;
  std::function<void(const std::filesystem::path&)> play_;
  std::thread thread_;
};

} // namespace tcfdl::tee::test
