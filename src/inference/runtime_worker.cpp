#include "inference/runtime_worker.hpp"

#include "base/file.hpp"
#include "inference/runtime_request.hpp"
#include "inference/stage_runner.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <unistd.h>

namespace tcfdl::inference {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kLargestModel = std::uint64_t{64} << 30U;
constexpr std::uint64_t kLargestMessage = std::uint64_t{16} << 30U;

std::uint64_t micros_since(Clock::time_point begin) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begin).count());
}

/// A line of /proc/self/status in bytes, where the kernel writes KiB (proc(5)).
std::uint64_t own_memory(std::string_view line) {
  const auto text = read_text_file("/proc/self/status");
  const auto at = text ? text->find(line) : std::string::npos;
  if (at == std::string::npos) return 0;
  const auto digits = text->find_first_of("0123456789", at);
  std::uint64_t kibibytes = 0;
  std::from_chars(text->data() + digits, text->data() + text->size(), kibibytes);
  return kibibytes << 10U;
}

/// Runs as often as is asked for; the answer gets the median time, the file the last outputs.
template <class Run> Status run_often(const RuntimeRequest& request, RuntimeAnswer& answer, Run run) {
  TCFDL_ASSIGN(const auto message, read_regular_file(request.inputs, kLargestMessage));
  TCFDL_ASSIGN(const auto tensors, parse_tensors(message));
  std::vector<std::uint64_t> times;
  for (unsigned i = 0; i < request.runs; ++i) {
    const auto begin = Clock::now();
    TCFDL_ASSIGN(const auto outputs, run(tensors));
    times.push_back(micros_since(begin));
    if (i + 1 == request.runs && !request.outputs.empty()) {
      TCFDL_TRY(write_file(request.outputs, write_tensors(outputs.tensors), kPrivateFile));
    }
  }
  if (times.size() > 1) times.erase(times.begin());
  std::ranges::sort(times);
  answer.run_us = times[times.size() / 2];
  return {};
}

void describe(RuntimeAnswer& answer, const Session& session) {
  answer.inputs = session.inputs();
  answer.outputs = session.outputs();
  answer.arena_size = session.arena_size();
  answer.peak_memory = own_memory("VmHWM:");
  answer.memory = own_memory("VmRSS:");
}

Status run_packed(const RuntimeRequest& request, RuntimeAnswer& answer) {
  const auto begin = Clock::now();
  TCFDL_ASSIGN(auto model, read_regular_file(request.model, kLargestModel));
  TCFDL_ASSIGN(auto stage, StageRunner::load(std::move(model), {.threads = request.threads,
                                                                .prepacking = request.prepacking,
                                                                .arena_limit = request.arena_limit}));
  answer.load_us = micros_since(begin);
  TCFDL_TRY(run_often(request, answer, [&](const auto& tensors) { return stage.run(tensors); }));
  describe(answer, stage.session());
  return {};
}

Status run_onnx(const RuntimeRequest& request, RuntimeAnswer& answer) {
  SessionSettings settings{
      .threads = request.threads, .prepacking = request.prepacking, .arena_limit = request.arena_limit};
  if (request.kind == WorkKind::kOptimise) {
    settings.optimise = true;
    settings.save_onnx = request.save;
  }
  if (request.kind == WorkKind::kPack) settings.save_ort = request.save;
  if (request.kind == WorkKind::kProfile) settings.profile_prefix = request.save;
  const auto begin = Clock::now();
  TCFDL_ASSIGN(auto session, Session::open_onnx(request.model, settings));
  answer.load_us = micros_since(begin);
  if (!request.inputs.empty()) {
    TCFDL_TRY(run_often(request, answer, [&](const auto& tensors) -> Result<Outputs> {
      TCFDL_ASSIGN(const auto inputs, select_inputs(session.inputs(), tensors));
      return session.run(inputs);
    }));
  }
  describe(answer, session);
  if (settings.profile_prefix.empty()) return {};
  TCFDL_ASSIGN(answer.profile, session.end_profiling());
  return {};
}

Result<RuntimeAnswer> serve(BytesView text) {
  TCFDL_ASSIGN(const auto request, parse_request(text));
  RuntimeAnswer answer{
      .runtime = runtime_version(), .instruction_set = instruction_set(), .runtime_file = runtime_file()};
  if (request.kind == WorkKind::kDescribe) return answer;
  TCFDL_TRY(request.kind == WorkKind::kRun ? run_packed(request, answer) : run_onnx(request, answer));
  return answer;
}

} // namespace

int serve_runtime_request() {
  const auto text = read_file("/dev/stdin", std::size_t{1} << 20U);
  auto answer = text ? serve(*text) : Result<RuntimeAnswer>(text.error());
  const bool written = write_all(STDOUT_FILENO, as_bytes(write_answer(answer))).has_value();
  return answer && written ? 0 : 1;
}

} // namespace tcfdl::inference
