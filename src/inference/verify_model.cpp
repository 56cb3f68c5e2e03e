#include "inference/verify_model.hpp"

#include "base/file.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

namespace tcfdl::inference {
namespace {

constexpr std::uint64_t kLargestResult = std::uint64_t{16} << 30U;
constexpr unsigned kVerifyRuns = 3;

float from_half(std::uint16_t bits) {
  const auto exponent = (bits >> 10U) & 0x1FU;
  const auto mantissa = static_cast<float>(bits & 0x3FFU);
  const float sign = (bits & 0x8000U) != 0 ? -1.0F : 1.0F;
  if (exponent == 0) return sign * std::ldexp(mantissa, -24);
  if (exponent == 31) return mantissa == 0 ? sign * INFINITY : NAN;
  return sign * std::ldexp(mantissa + 1024, static_cast<int>(exponent) - 25);
}

template <class Number> double number_at(BytesView data, std::size_t index) {
  Number number{};
  std::memcpy(&number, data.data() + index * sizeof(Number), sizeof(Number));
  return static_cast<double>(number);
}

double element_at(const TensorView& tensor, std::size_t index) {
  switch (tensor.type) {
  case ElementType::kFloat: return number_at<float>(tensor.data, index);
  case ElementType::kDouble: return number_at<double>(tensor.data, index);
  case ElementType::kInt32: return number_at<std::int32_t>(tensor.data, index);
  case ElementType::kInt64: return number_at<std::int64_t>(tensor.data, index);
  case ElementType::kUint32: return number_at<std::uint32_t>(tensor.data, index);
  case ElementType::kUint64: return number_at<std::uint64_t>(tensor.data, index);
  case ElementType::kInt16: return number_at<std::int16_t>(tensor.data, index);
  case ElementType::kUint16: return number_at<std::uint16_t>(tensor.data, index);
  case ElementType::kInt8: return number_at<std::int8_t>(tensor.data, index);
  case ElementType::kFloat16:
    return static_cast<double>(from_half(static_cast<std::uint16_t>(number_at<std::uint16_t>(tensor.data, index))));
  case ElementType::kBfloat16: {
    const auto bits = static_cast<std::uint32_t>(number_at<std::uint16_t>(tensor.data, index)) << 16U;
    return static_cast<double>(std::bit_cast<float>(bits));
  }
  default: return number_at<std::uint8_t>(tensor.data, index);
  }
}

/// Messages and the tensors in them.
struct Computed {
  std::vector<std::unique_ptr<Bytes>> messages;
  std::map<std::string, TensorView> tensors;
  double run_us = 0;

  Status add(const std::filesystem::path& file) {
    TCFDL_ASSIGN(auto message, read_regular_file(file, kLargestResult));
    messages.push_back(std::make_unique<Bytes>(std::move(message)));
    TCFDL_ASSIGN(const auto made, parse_tensors(*messages.back()));
    for (const auto& view : made) tensors[view.name] = view;
    return {};
  }

  [[nodiscard]] InputTensors outputs() && {
    InputTensors all;
    for (auto& message : messages) all.owned.push_back(std::move(*message));
    for (auto& [name, view] : tensors) all.views.push_back(std::move(view));
    return all;
  }
};

/// The three computations, in one directory.
class Computations {
public:
  Computations(const RuntimeProcess& runtime, std::filesystem::path directory, const ModelPlan& plan,
               const InputTensors& inputs)
      : runtime_(runtime), directory_(std::move(directory)), plan_(plan), inputs_(inputs) {}

  Result<Computed> stages(std::uint64_t& bytes) {
    Computed computed;
    for (const auto& view : inputs_.views) computed.tensors[view.name] = view;
    for (std::size_t i = 0; i < plan_.stages.size(); ++i) {
      const auto& stage = plan_.stages[i];
      std::vector<TensorView> needed;
      for (const auto& input : stage.inputs) {
        needed.push_back(computed.tensors.at(input.info.name));
        if (input.from > 0) bytes += needed.back().data.size();
      }
      auto ran = run(WorkKind::kRun, stage.file.path, needed, stage.arena_limit, computed);
      if (!ran) return ran.error().within(fmt::format("stage {} of {}", i + 1, plan_.stages.size()));
    }
    return computed;
  }

  Result<Computed> whole(WorkKind kind, const std::string& model) {
    Computed computed;
    TCFDL_TRY(run(kind, model, inputs_.views, 0, computed));
    return computed;
  }

  Status pack(const std::string& model, const std::string& packed) const {
    TCFDL_TRY(runtime_.run({.kind = WorkKind::kPack, .model = directory_ / model, .save = directory_ / packed}));
    return {};
  }

private:
  Status run(WorkKind kind, const std::string& model, std::span<const TensorView> inputs, std::uint64_t arena_limit,
             Computed& computed) {
    TCFDL_TRY(write_file(directory_ / "inputs", write_tensors(inputs), kPrivateFile));
    TCFDL_ASSIGN(const auto answer, runtime_.run({.kind = kind,
                                                  .model = directory_ / model,
                                                  .inputs = directory_ / "inputs",
                                                  .outputs = directory_ / "outputs",
                                                  .runs = kVerifyRuns,
                                                  .threads = plan_.threads,
                                                  .prepacking = plan_.prepacking,
                                                  .arena_limit = arena_limit}));
    computed.run_us += static_cast<double>(answer.run_us);
    return computed.add(directory_ / "outputs");
  }

  const RuntimeProcess& runtime_;
  std::filesystem::path directory_;
  const ModelPlan& plan_;
  const InputTensors& inputs_;
};

} // namespace

Result<std::vector<OutputDifference>> compare_outputs(std::span<const TensorView> computed,
                                                      std::span<const TensorView> wanted, std::string_view missing) {
  std::vector<OutputDifference> differences;
  for (const auto& tensor : wanted) {
    const auto found = std::ranges::find(computed, tensor.name, &TensorView::name);
    if (found == computed.end()) return make_error(Code::kDataLoss, "{} '{}'", missing, tensor.name);
    differences.push_back(compare_tensors(*found, tensor));
  }
  return differences;
}

OutputDifference compare_tensors(const TensorView& left, const TensorView& right) {
  OutputDifference difference{.tensor = right.name};
  difference.comparable = left.type == right.type && left.shape == right.shape && left.data.size() == right.data.size();
  difference.equal = difference.comparable && std::ranges::equal(left.data, right.data);
  if (difference.equal || !difference.comparable) return difference;
  double magnitude = 0;
  const auto count = right.data.size() / element_size(right.type);
  for (std::size_t i = 0; i < count; ++i) {
    const auto wanted = element_at(right, i);
    const auto found = element_at(left, i);
    if (std::isfinite(wanted)) magnitude = std::max(magnitude, std::abs(wanted));
    if (found == wanted || (std::isnan(found) && std::isnan(wanted))) continue;
    const auto distance = std::abs(found - wanted);
    difference.greatest = std::max(difference.greatest, std::isnan(distance) ? INFINITY : distance);
  }
  if (difference.greatest > 0) difference.relative = difference.greatest / magnitude;
  return difference;
}

bool Verification::passed(double tolerance) const {
  const auto close = [&](const OutputDifference& each) { return each.comparable && each.relative <= tolerance; };
  return std::ranges::all_of(optimised, &OutputDifference::equal) && std::ranges::all_of(original, close);
}

Result<Verification> verify_model(ModelStore& store, const ModelRecord& record, const ModelPlan& plan,
                                  const InputTensors& inputs) {
  TCFDL_ASSIGN(const auto here, store.target());
  TCFDL_TRY(check_target(plan.target, here));
  TCFDL_ASSIGN(const auto optimised, store.optimised(record));
  TCFDL_ASSIGN(const auto directory, store.work());
  TCFDL_TRY(store.put_out(plan.files(), directory.path()));
  TCFDL_TRY(store.put_out(optimised.files, directory.path()));
  TCFDL_TRY(store.put_out(record.files, directory.path()));
  Computations computations(store.runtime(), directory.path(), plan, inputs);
  Verification verification{.stages = plan.stages.size()};
  TCFDL_ASSIGN(auto pipeline, computations.stages(verification.bytes));
  TCFDL_TRY(computations.pack(optimised.files.front().path, "whole.ort"));
  TCFDL_ASSIGN(auto whole, computations.whole(WorkKind::kRun, "whole.ort"));
  TCFDL_ASSIGN(auto original, computations.whole(WorkKind::kRunOnnx, record.files.front().path));
  verification.pipeline_us = pipeline.run_us;
  verification.whole_us = whole.run_us;
  verification.whole = std::move(whole).outputs();
  const auto staged = std::move(pipeline).outputs();
  const auto imported = std::move(original).outputs();
  constexpr std::string_view kMissing = "plan anew: no stage makes the model's output";
  TCFDL_ASSIGN(verification.optimised, compare_outputs(staged.views, verification.whole.views, kMissing));
  TCFDL_ASSIGN(verification.original, compare_outputs(staged.views, imported.views, kMissing));
  return verification;
}

} // namespace tcfdl::inference
