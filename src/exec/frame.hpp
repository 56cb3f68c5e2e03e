// The frames between tcfdl-exec and a long-lived program. docs/formats/exec_serve.md.
#pragma once

#include "exec/process.hpp"

#include <optional>
#include <tcfdl/function.hpp>

namespace tcfdl::exec {

/// The most that a frame may hold, bytes.
struct FrameLimits {
  std::uint32_t header = 64U * 1024;
  std::uint64_t body = std::uint64_t{1} << 30U;
};

/// What comes before the body in a request.
Bytes request_head(const TaskContext& task, std::uint64_t body_size);

/// The program's own refusal of a task; nullopt where it succeeded. An error of this function is INTERNAL and says how
/// the header breaks the format.
Result<std::optional<Error>> parse_answer_header(BytesView header);

/// One request and its answer, written and read at the same time on the calling thread. References outlive it.
class Exchange {
public:
  struct Answer {
    std::optional<Error> refusal;
    Bytes body;
    bool in_step = false; ///< the program took the whole request: it can get the next one
  };

  Exchange(const Process& process, const Interrupt& interrupt, FrameLimits limits)
      : process_(process), interrupt_(interrupt), limits_(limits) {}

  /// INTERNAL says what breaks the format, or that the program ended; else the error of the interrupt. After any error
  /// the program is of no more use.
  Result<Answer> run(BytesView head, BytesView body);

  /// Whether the error was that the program closed its stdout or ended.
  [[nodiscard]] bool program_ended() const noexcept { return ended_; }

private:
  Status read_exactly(std::span<std::uint8_t> out);
  Result<std::uint64_t> read_number(std::size_t size);
  Result<Bytes> read_body(std::uint64_t size);
  Status wait();
  void send();
  Error ended();

  const Process& process_;
  const Interrupt& interrupt_;
  const FrameLimits limits_;
  BytesView head_;       // what is left of it to send
  BytesView body_;       // likewise, after the head
  bool refused_ = false; // the program closed its stdin
  bool ended_ = false;
};

} // namespace tcfdl::exec
