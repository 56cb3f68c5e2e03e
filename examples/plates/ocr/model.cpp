#include "model.hpp"

#include <fmt/format.h>
#include <onnxruntime_cxx_api.h>

#ifdef __SANITIZE_ADDRESS__
// ONNX Runtime keeps a few hundred bytes of its own for the life of the process.
extern "C" const char* __lsan_default_suppressions(); // NOLINT(bugprone-reserved-identifier)
extern "C" const char* __lsan_default_suppressions() { return "leak:libonnxruntime"; }
#endif

namespace plates {

using tcfdl::Code;
using tcfdl::Error;
using tcfdl::Result;

struct Model::State {
  Ort::Env env{ORT_LOGGING_LEVEL_ERROR, "plates"};
  Ort::Session session{nullptr};
  std::string input;
  std::string output;
};

Model::Model(std::unique_ptr<State> state) : state_(std::move(state)) {}
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;
Model::~Model() = default;

Result<Model> Model::load(const std::filesystem::path& file, unsigned threads) {
  try {
    auto state = std::make_unique<State>();
    Ort::SessionOptions options;
    options.SetIntraOpNumThreads(static_cast<int>(threads));
    options.SetInterOpNumThreads(1);
    options.DisableMemPattern(); // images differ in size: no plan is kept for each
    options.SetGraphOptimizationLevel(ORT_ENABLE_ALL);
    state->session = Ort::Session(state->env, file.c_str(), options);
    if (state->session.GetInputCount() != 1 || state->session.GetOutputCount() != 1) {
      return Error(Code::kFailedPrecondition, fmt::format("{} has not one input and one output", file.string()));
    }
    Ort::AllocatorWithDefaultOptions allocator;
    state->input = state->session.GetInputNameAllocated(0, allocator).get();
    state->output = state->session.GetOutputNameAllocated(0, allocator).get();
    return Model(std::move(state));
  } catch (const Ort::Exception& error) {
    return Error(Code::kFailedPrecondition, fmt::format("cannot load {}: {}", file.string(), error.what()));
  }
}

Result<Tensor> Model::run(Tensor& input) const {
  try {
    const auto memory = Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeDefault);
    const auto value = Ort::Value::CreateTensor<float>(memory, input.values.data(), input.values.size(),
                                                       input.shape.data(), input.shape.size());
    const char* const in = state_->input.c_str();
    const char* const out = state_->output.c_str();
    const auto outputs = state_->session.Run(Ort::RunOptions(nullptr), &in, &value, 1, &out, 1);
    const auto info = outputs.at(0).GetTensorTypeAndShapeInfo();
    const auto* const first = outputs[0].GetTensorData<float>();
    return Tensor{info.GetShape(), {first, first + info.GetElementCount()}};
  } catch (const Ort::Exception& error) {
    return Error(Code::kInternal, fmt::format("the network failed: {}", error.what()));
  }
}

} // namespace plates
