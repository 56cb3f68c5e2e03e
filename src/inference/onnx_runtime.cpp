#include "inference/onnx_runtime.hpp"

#include "base/format.hpp"

#include <charconv>
#include <dlfcn.h>
#include <onnxruntime_cxx_api.h>
#include <onnxruntime_session_options_config_keys.h>

#ifdef __SANITIZE_ADDRESS__
// ONNX Runtime keeps a few hundred bytes of its own for the life of the process.
extern "C" const char* __lsan_default_suppressions(); // NOLINT(bugprone-reserved-identifier)
extern "C" const char* __lsan_default_suppressions() { return "leak:libonnxruntime"; }
#endif

namespace tcfdl::inference {
namespace {

constexpr const char* kLeastExternal = "1024"; ///< bytes of a weight that is saved beside the graph

Ort::SessionOptions session_options(const SessionSettings& settings) {
  Ort::SessionOptions options;
  options.SetGraphOptimizationLevel(settings.optimise ? ORT_ENABLE_ALL : ORT_DISABLE_ALL);
  options.SetIntraOpNumThreads(static_cast<int>(settings.threads));
  options.SetInterOpNumThreads(1);
  options.SetExecutionMode(ORT_SEQUENTIAL);
  options.DisableMemPattern();
  options.SetLogSeverityLevel(ORT_LOGGING_LEVEL_FATAL);
  options.AddConfigEntry(kOrtSessionOptionsConfigDisablePrepacking, settings.prepacking ? "0" : "1");
  options.AddConfigEntry(kOrtSessionOptionsConfigAllowIntraOpSpinning, "0");
  options.AddConfigEntry(kOrtSessionOptionsConfigUseEnvAllocators, "1");
  if (!settings.save_onnx.empty()) {
    const auto weights = settings.save_onnx.filename().string() + ".weights";
    options.SetOptimizedModelFilePath(settings.save_onnx.c_str());
    options.AddConfigEntry(kOrtSessionOptionsOptimizedModelExternalInitializersFileName, weights.c_str());
    options.AddConfigEntry(kOrtSessionOptionsOptimizedModelExternalInitializersMinSizeInBytes, kLeastExternal);
  }
  if (!settings.save_ort.empty()) {
    options.SetOptimizedModelFilePath(settings.save_ort.c_str());
    options.AddConfigEntry(kOrtSessionOptionsConfigSaveModelFormat, "ORT");
  }
  if (!settings.profile_prefix.empty()) options.EnableProfiling(settings.profile_prefix.c_str());
  return options;
}

/// An arena that gives exactly what is asked for, and no more than the limit.
Ort::ArenaCfg arena_of(const SessionSettings& settings) {
  return {static_cast<std::size_t>(settings.arena_limit), /*kSameAsRequested*/ 1, -1,
          /*max_dead_bytes_per_chunk*/ 65536};
}

TensorInfo info_of(const std::string& name, const Ort::TypeInfo& type) {
  TensorInfo info{.name = name};
  info.tensor = type.GetONNXType() == ONNX_TYPE_TENSOR;
  if (!info.tensor) return info;
  const auto tensor = type.GetTensorTypeAndShapeInfo();
  info.type = static_cast<ElementType>(tensor.GetElementType());
  info.shape = tensor.GetShape();
  return info;
}

Error runtime_error(Code code, const Ort::Exception& failure) {
  const std::string_view what(failure.what());
  const bool memory = what.find("Available memory of") != std::string_view::npos;
  return make_error(memory ? Code::kResourceExhausted : code, "ONNX Runtime: {}", what.substr(0, 2000));
}

} // namespace

struct Session::State {
  explicit State(const SessionSettings& settings) : options(session_options(settings)) {
    env.CreateAndRegisterAllocator(memory, arena_of(settings));
  }
  Ort::Env env{ORT_LOGGING_LEVEL_FATAL, "tcfdl"};
  Ort::MemoryInfo memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  Ort::SessionOptions options;
  Bytes model; ///< outlives the session, which uses it
  Ort::Session session{nullptr};
  std::vector<TensorInfo> inputs;
  std::vector<TensorInfo> outputs;
};

Session::Session(std::unique_ptr<State> state) : state_(std::move(state)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

Result<Session> Session::finish(std::unique_ptr<State> state) {
  const Ort::AllocatorWithDefaultOptions allocator;
  for (std::size_t i = 0; i < state->session.GetInputCount(); ++i) {
    const std::string name = state->session.GetInputNameAllocated(i, allocator).get();
    state->inputs.push_back(info_of(name, state->session.GetInputTypeInfo(i)));
  }
  for (std::size_t i = 0; i < state->session.GetOutputCount(); ++i) {
    const std::string name = state->session.GetOutputNameAllocated(i, allocator).get();
    state->outputs.push_back(info_of(name, state->session.GetOutputTypeInfo(i)));
  }
  return Session(std::move(state));
}

Result<Session> Session::open_onnx(const std::filesystem::path& file, const SessionSettings& settings) {
  try {
    auto state = std::make_unique<State>(settings);
    state->session = Ort::Session(state->env, file.c_str(), state->options);
    return finish(std::move(state));
  } catch (const Ort::Exception& failure) {
    return runtime_error(Code::kInvalidArgument, failure);
  }
}

Result<Session> Session::open_ort(Bytes model, const SessionSettings& settings) {
  try {
    auto state = std::make_unique<State>(settings);
    state->model = std::move(model);
    state->options.AddConfigEntry(kOrtSessionOptionsConfigLoadModelFormat, "ORT");
    state->options.AddConfigEntry(kOrtSessionOptionsConfigUseORTModelBytesDirectly, "1");
    state->options.AddConfigEntry(kOrtSessionOptionsConfigUseORTModelBytesForInitializers, "1");
    state->session = Ort::Session(state->env, state->model.data(), state->model.size(), state->options);
    return finish(std::move(state));
  } catch (const Ort::Exception& failure) {
    return runtime_error(Code::kInvalidArgument, failure);
  }
}

const std::vector<TensorInfo>& Session::inputs() const noexcept { return state_->inputs; }
const std::vector<TensorInfo>& Session::outputs() const noexcept { return state_->outputs; }

namespace {

/// Values of ONNX Runtime as views.
std::vector<TensorView> views_of(const std::vector<Ort::Value>& values, const std::vector<TensorInfo>& infos) {
  std::vector<TensorView> views;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!values[i].IsTensor()) throw Ort::Exception("an output is no tensor", ORT_NOT_IMPLEMENTED);
    const auto info = values[i].GetTensorTypeAndShapeInfo();
    const auto type = static_cast<ElementType>(info.GetElementType());
    const auto bytes = info.GetElementCount() * element_size(type);
    views.push_back({.name = infos[i].name, .type = type, .shape = info.GetShape(), .data = {}});
    if (bytes > 0) views.back().data = {static_cast<const std::uint8_t*>(values[i].GetTensorRawData()), bytes};
  }
  return views;
}

} // namespace

Result<Outputs> Session::run(std::span<const TensorView> inputs) {
  std::vector<const char*> names;
  std::vector<const char*> wanted;
  for (const auto& info : state_->outputs) wanted.push_back(info.name.c_str());
  try {
    std::vector<Ort::Value> values;
    for (const auto& input : inputs) {
      names.push_back(input.name.c_str());
      // ONNX Runtime reads inputs and never writes them.
      auto* const data = const_cast<std::uint8_t*>(input.data.data()); // NOLINT(cppcoreguidelines-pro-type-const-cast)
      values.push_back(Ort::Value::CreateTensor(state_->memory, data, input.data.size(), input.shape.data(),
                                                input.shape.size(),
                                                static_cast<ONNXTensorElementDataType>(input.type)));
    }
    auto made = std::make_shared<std::vector<Ort::Value>>(state_->session.Run(
        Ort::RunOptions(nullptr), names.data(), values.data(), values.size(), wanted.data(), wanted.size()));
    auto views = views_of(*made, state_->outputs);
    return Outputs{std::move(made), std::move(views)};
  } catch (const Ort::Exception& failure) {
    return runtime_error(Code::kInternal, failure);
  }
}

std::uint64_t Session::arena_size() const {
  const Ort::Allocator allocator(state_->session, state_->memory);
  const auto stats = allocator.GetStats();
  const char* const text = stats.GetValue("TotalAllocated");
  std::uint64_t bytes = 0;
  if (text != nullptr) std::from_chars(text, text + std::string_view(text).size(), bytes);
  return bytes;
}

Result<std::filesystem::path> Session::end_profiling() {
  try {
    const Ort::AllocatorWithDefaultOptions allocator;
    return std::filesystem::path(state_->session.EndProfilingAllocated(allocator).get());
  } catch (const Ort::Exception& failure) {
    return runtime_error(Code::kInternal, failure);
  }
}

std::string runtime_version() { return Ort::GetVersionString(); }

std::filesystem::path runtime_file() {
  Dl_info info{};
  // What it points to lies in that file; the function's own address may be a stub of this program.
  const bool found = ::dladdr(OrtGetApiBase(), &info) != 0;
  return found ? info.dli_fname : "";
}

#if defined(__x86_64__)
std::string instruction_set() {
  std::string set = "x86_64";
  const auto add = [&](bool there, const char* name) {
    if (there) set += name;
  };
  add(__builtin_cpu_supports("avx2") != 0, "+avx2");
  add(__builtin_cpu_supports("fma") != 0, "+fma");
  add(__builtin_cpu_supports("avx512f") != 0, "+avx512f");
  add(__builtin_cpu_supports("avx512bw") != 0, "+avx512bw");
  add(__builtin_cpu_supports("avx512vnni") != 0, "+avx512vnni");
  return set;
}
#else
std::string instruction_set() { return "aarch64"; }
#endif

} // namespace tcfdl::inference
