// A function for tests of failures. Its body is a command:
//   echo TEXT        gives TEXT
//   pid              gives this process's number
//   block MS         waits that long, whoever tells it to stop, gives "blocked"
//   sleep MS         waits that long, gives "slept", or "cancelled" when it was cancelled before
//   fail CODE TEXT   fails, as `fail NOT_FOUND no such page`
//   crash            aborts
//   call NAME TEXT   calls another function with TEXT and gives its result
// Its argument makes it a version that does not work: --no-start ends at once, --no-tasks aborts with the first task.
#include <charconv>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <tcfdl/function.hpp>
#include <thread>
#include <unistd.h>

namespace {

using tcfdl::Bytes;
using tcfdl::Code;
using tcfdl::Error;
using tcfdl::Result;

/// The first word, which is taken off `text` with the space after it.
std::string_view take_word(std::string_view& text) {
  const auto word = text.substr(0, text.find(' '));
  text.remove_prefix(std::min(word.size() + 1, text.size()));
  return word;
}

Result<Bytes> sleep(tcfdl::TaskContext& task, std::string_view text) {
  unsigned millis = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), millis);
  if (parsed.ec != std::errc()) return Error(Code::kInvalidArgument, "sleep how many milliseconds?");
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, task.cancelled(), std::chrono::milliseconds(millis), [] { return false; });
  return tcfdl::to_bytes(task.cancelled().stop_requested() ? "cancelled" : "slept");
}

Result<Bytes> block(std::string_view text) {
  unsigned millis = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), millis);
  if (parsed.ec != std::errc()) return Error(Code::kInvalidArgument, "block how many milliseconds?");
  std::this_thread::sleep_for(std::chrono::milliseconds(millis));
  return tcfdl::to_bytes("blocked");
}

Result<Bytes> call(tcfdl::TaskContext& task, std::string_view text) {
  const std::string function(take_word(text));
  auto result = task.call(function, tcfdl::as_bytes(text));
  if (!result) return result.error();
  return std::move(result->body);
}

Result<Bytes> handle(tcfdl::TaskContext& task, tcfdl::BytesView body) {
  auto text = tcfdl::as_text(body);
  const auto command = take_word(text);
  if (command == "echo") return tcfdl::to_bytes(text);
  if (command == "pid") return tcfdl::to_bytes(std::to_string(::getpid()));
  if (command == "sleep") return sleep(task, text);
  if (command == "block") return block(text);
  if (command == "call") return call(task, text);
  if (command == "crash") std::abort();
  if (command == "fail") {
    const auto code = tcfdl::code_from_name(take_word(text));
    return Error(code, std::string(text));
  }
  return Error(Code::kInvalidArgument, "the commands are echo, pid, sleep, block, fail, crash and call");
}

} // namespace

int main(int argc, char** argv) {
  const std::string_view argument = argc > 1 ? argv[1] : "";
  if (argument == "--no-start") return 3;
  if (argument == "--no-tasks") {
    return tcfdl::serve([](tcfdl::TaskContext&, tcfdl::BytesView) -> Result<Bytes> { std::abort(); });
  }
  return tcfdl::serve(handle);
}
