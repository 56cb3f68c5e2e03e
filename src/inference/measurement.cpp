#include "inference/measurement.hpp"

#include "base/file.hpp"
#include "inference/onnx_proto.hpp"

#include <algorithm>

namespace tcfdl::inference {
namespace {

constexpr std::uint64_t kLargestProfileFile = std::uint64_t{1} << 30U;
constexpr std::uint64_t kLargestOutputs = std::uint64_t{16} << 30U;

Status write_model(const std::filesystem::path& file, const onnx::ModelProto& model) {
  return write_file(file, as_bytes(model.SerializeAsString()), kPrivateFile);
}

/// The model that does nothing.
onnx::ModelProto identity_model() {
  onnx::ModelProto model;
  model.set_ir_version(8);
  model.add_opset_import()->set_version(13);
  auto& graph = *model.mutable_graph();
  graph.set_name("identity");
  auto& node = *graph.add_node();
  node.set_op_type("Identity");
  node.add_input("x");
  node.add_output("y");
  for (auto* value : {graph.add_input(), graph.add_output()}) {
    value->mutable_type()->mutable_tensor_type()->set_elem_type(onnx::TensorProto::FLOAT);
  }
  graph.mutable_input(0)->set_name("x");
  graph.mutable_output(0)->set_name("y");
  return model;
}

} // namespace

ProfiledModel::ProfiledModel(OptimisedModel optimised, WorkDirectory directory, std::unique_ptr<onnx::ModelProto> model)
    : optimised_(std::move(optimised)), directory_(std::move(directory)), model_(std::move(model)) {}
ProfiledModel::ProfiledModel(ProfiledModel&&) noexcept = default;
ProfiledModel::~ProfiledModel() = default;

Result<std::map<std::string, NodeProfile>> ProfiledModel::profile(const RuntimeProcess& runtime,
                                                                  const InputTensors& inputs,
                                                                  const MeasureSettings& settings) const {
  auto named = *model_;
  name_nodes(named);
  const auto file = directory() / "profiled.onnx";
  const auto message = directory() / "inputs";
  TCFDL_TRY(write_model(file, named));
  TCFDL_TRY(write_file(message, write_tensors(inputs.views), kPrivateFile));
  TCFDL_ASSIGN(const auto answer, runtime.run({.kind = WorkKind::kProfile,
                                               .model = file,
                                               .inputs = message,
                                               .save = directory() / "profile",
                                               .runs = settings.runs + 1,
                                               .threads = settings.threads,
                                               .prepacking = settings.prepacking}));
  TCFDL_ASSIGN(const auto text, read_regular_file(answer.profile, kLargestProfileFile));
  return parse_profile(text);
}

Result<ProfiledModel> ProfiledModel::make(ModelStore& store, const ModelRecord& record, const InputTensors& inputs,
                                          const InputTensors* typical, const MeasureSettings& settings) {
  TCFDL_ASSIGN(auto optimised, store.optimised(record));
  TCFDL_ASSIGN(auto directory, store.work());
  TCFDL_TRY(store.put_out(optimised.files, directory.path()));
  TCFDL_ASSIGN(const auto text, read_regular_file(directory.path() / optimised.files.front().path, kMaxOnnxFile));
  TCFDL_ASSIGN(auto parsed, parse_onnx(text));
  ProfiledModel made(std::move(optimised), std::move(directory), std::make_unique<onnx::ModelProto>(std::move(parsed)));
  TCFDL_ASSIGN(const auto largest, made.profile(store.runtime(), inputs, settings));
  TCFDL_ASSIGN(made.graph_, read_graph(*made.model_, largest, inputs.views));
  if (typical == nullptr) return made;
  TCFDL_ASSIGN(const auto usual, made.profile(store.runtime(), *typical, settings));
  TCFDL_ASSIGN(const auto timed, read_graph(*made.model_, usual, typical->views));
  std::map<std::size_t, double> times;
  for (const auto& step : timed.operators) times[step.node] = step.time_us;
  for (auto& step : made.graph_.operators) step.time_us = times[step.node];
  return made;
}

StageMeasurement::StageMeasurement(const RuntimeProcess& runtime, const ProfiledModel& model,
                                   const InputTensors& inputs, const MeasureSettings& settings)
    : runtime_(runtime), model_(model), settings_(settings), lifetimes_(lifetimes_of(model.graph())) {
  for (const auto& view : inputs.views) tensors_[view.name] = view;
}

Result<RuntimeAnswer> StageMeasurement::run(const std::filesystem::path& stage, std::span<const TensorView> inputs,
                                            const std::filesystem::path& outputs) {
  const auto message = model_.directory() / "inputs";
  TCFDL_TRY(write_file(message, write_tensors(inputs), kPrivateFile));
  return runtime_.run({.kind = WorkKind::kRun,
                       .model = stage,
                       .inputs = message,
                       .outputs = outputs,
                       .runs = settings_.runs + 1,
                       .threads = settings_.threads,
                       .prepacking = settings_.prepacking});
}

Result<MeasuredStage> StageMeasurement::measure(std::size_t begin, std::size_t end) {
  if (const auto known = measured_.find({begin, end}); known != measured_.end()) return known->second;
  const auto& directory = model_.directory();
  const auto name = fmt::format("stage-{}-{}", begin, end);
  const auto source = directory / (name + ".onnx");
  MeasuredStage stage{.file = name + ".ort"};
  TCFDL_TRY(write_model(source, extract_stage(model_.model(), model_.graph(), lifetimes_, begin, end)));
  TCFDL_TRY(runtime_.run({.kind = WorkKind::kPack, .model = source, .save = directory / stage.file}));
  std::vector<TensorView> inputs;
  for (const auto tensor : stage_inputs(model_.graph(), lifetimes_, begin, end)) {
    inputs.push_back(tensors_.at(model_.graph().tensors[tensor].name));
  }
  const auto outputs = directory / (name + ".outputs");
  TCFDL_ASSIGN(const auto answer, run(directory / stage.file, inputs, outputs));
  TCFDL_ASSIGN(auto message, read_regular_file(outputs, kLargestOutputs));
  messages_.push_back(std::make_unique<Bytes>(std::move(message)));
  TCFDL_ASSIGN(const auto made, parse_tensors(*messages_.back()));
  for (const auto& view : made) tensors_[view.name] = view;
  stage.peak_memory = answer.peak_memory;
  stage.arena_size = answer.arena_size;
  stage.run_us = static_cast<double>(answer.run_us);
  measured_[{begin, end}] = stage;
  return stage;
}

Result<std::uint64_t> StageMeasurement::measure_base() {
  const auto& directory = model_.directory();
  const auto source = directory / "identity.onnx";
  const auto packed = directory / "identity.ort";
  TCFDL_TRY(write_model(source, identity_model()));
  TCFDL_TRY(runtime_.run({.kind = WorkKind::kPack, .model = source, .save = packed}));
  const float one = 1;
  const TensorView input{.name = "x",
                         .type = ElementType::kFloat,
                         .shape = {1},
                         .data = {reinterpret_cast<const std::uint8_t*>(&one), sizeof(one)}};
  TCFDL_ASSIGN(const auto answer, run(packed, {&input, 1}, directory / "identity.outputs"));
  return answer.peak_memory;
}

} // namespace tcfdl::inference
