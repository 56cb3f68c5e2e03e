#include "inference/synthesis.hpp"

#include "base/format.hpp"
#include "inference/onnx_proto.hpp"

#include <array>
#include <bit>
#include <cmath>

namespace tcfdl::inference {
namespace {

constexpr int kOpset = 13;
constexpr int kIrVersion = 8;
constexpr unsigned kRepeatedBlocks = 5;                  ///< of 14x14x512 in the original
constexpr std::uint64_t kOriginalParameters = 4'253'864; ///< with those of batch normalisation

/// Normal numbers by the sums of uniform ones (Irwin-Hall, 12 terms): the same bits everywhere, unlike the library's.
class NormalDraws {
public:
  explicit NormalDraws(std::uint64_t seed) : state_(seed) {}
  float next(float deviation) {
    constexpr int kTerms = 12;
    std::int64_t sum = 0;
    for (int i = 0; i < kTerms; i += 2) {
      const auto bits = draw();
      sum += static_cast<std::int64_t>(bits & 0xFFFFFFU) + static_cast<std::int64_t>((bits >> 32U) & 0xFFFFFFU);
    }
    return deviation * (static_cast<float>(sum) / static_cast<float>(1U << 24U) - kTerms / 2.0F);
  }

private:
  /// SplitMix64 (Steele, Lea, Flood 2014).
  std::uint64_t draw() {
    state_ += 0x9E3779B97F4A7C15U;
    auto mixed = state_;
    mixed = (mixed ^ (mixed >> 30U)) * 0xBF58476D1CE4E5B9U;
    mixed = (mixed ^ (mixed >> 27U)) * 0x94D049BB133111EBU;
    return mixed ^ (mixed >> 31U);
  }
  std::uint64_t state_;
};

void describe_value(onnx::ValueInfoProto& value, const char* name, std::initializer_list<std::int64_t> shape) {
  value.set_name(name);
  auto* type = value.mutable_type()->mutable_tensor_type();
  type->set_elem_type(onnx::TensorProto::FLOAT);
  for (const auto dimension : shape) type->mutable_shape()->add_dim()->set_dim_value(dimension);
}

/// Adds layers one after the other.
class MobileNetWriter {
public:
  MobileNetWriter(onnx::GraphProto& graph, std::uint64_t seed) : graph_(graph), draws_(seed) {}

  void convolution(std::int64_t outputs, std::int64_t kernel, std::int64_t stride, bool depthwise) {
    const auto inputs = depthwise ? 1 : channels_;
    const auto fan_in = static_cast<float>(inputs * kernel * kernel);
    const auto weights = fill({outputs, inputs, kernel, kernel}, std::sqrt(2.0F / fan_in), 0);
    auto& node = add("Conv", {at_, weights});
    integers(node, "kernel_shape", {kernel, kernel});
    integers(node, "strides", {stride, stride});
    integers(node, "pads", {kernel / 2, kernel / 2, kernel / 2, kernel / 2});
    integer(node, "group", depthwise ? outputs : 1);
    channels_ = outputs;
    normalise();
  }

  void block(std::int64_t outputs, std::int64_t stride) {
    convolution(channels_, 3, stride, true);
    convolution(outputs, 1, 1, false);
  }

  void head(std::int64_t classes) {
    add("GlobalAveragePool", {at_});
    integer(add("Flatten", {at_}), "axis", 1);
    const auto weights = fill({channels_, classes}, std::sqrt(2.0F / static_cast<float>(channels_)), 0);
    const auto bias = fill({classes}, 0, 0);
    add("Gemm", {at_, weights, bias});
    add("Softmax", {at_}).set_output(0, "scores");
  }

  /// Blocks of the middle and of the end, so many times the original's.
  void layers(unsigned middle, unsigned end) {
    convolution(32, 3, 2, false);
    block(64, 1);
    block(128, 2);
    block(128, 1);
    block(256, 2);
    block(256, 1);
    block(512, 2);
    for (unsigned i = 0; i < middle; ++i) block(512, 1);
    block(1024, 2);
    for (unsigned i = 0; i < end; ++i) block(1024, 1);
    head(1000);
  }

private:
  onnx::NodeProto& add(const char* type, std::initializer_list<std::string> inputs) {
    auto& node = *graph_.add_node();
    node.set_op_type(type);
    node.set_name(fmt::format("{}_{}", type, graph_.node_size()));
    for (const auto& input : inputs) node.add_input(input);
    at_ = fmt::format("t{}", graph_.node_size());
    node.add_output(at_);
    return node;
  }

  static void integer(onnx::NodeProto& node, const char* name, std::int64_t value) {
    auto& attribute = *node.add_attribute();
    attribute.set_name(name);
    attribute.set_type(onnx::AttributeProto::INT);
    attribute.set_i(value);
  }

  static void integers(onnx::NodeProto& node, const char* name, std::initializer_list<std::int64_t> values) {
    auto& attribute = *node.add_attribute();
    attribute.set_name(name);
    attribute.set_type(onnx::AttributeProto::INTS);
    for (const auto value : values) attribute.add_ints(value);
  }

  /// A weight of normal numbers around `mean`.
  std::string fill(std::initializer_list<std::int64_t> shape, float deviation, float mean) {
    auto& tensor = *graph_.add_initializer();
    tensor.set_name(fmt::format("w{}", graph_.initializer_size()));
    tensor.set_data_type(onnx::TensorProto::FLOAT);
    std::size_t elements = 1;
    for (const auto dimension : shape) {
      tensor.add_dims(dimension);
      elements *= static_cast<std::size_t>(dimension);
    }
    auto& raw = *tensor.mutable_raw_data();
    raw.resize(elements * sizeof(float));
    for (std::size_t i = 0; i < elements; ++i) {
      const auto bytes = std::bit_cast<std::array<char, sizeof(float)>>(mean + draws_.next(deviation));
      std::ranges::copy(bytes, raw.begin() + static_cast<std::ptrdiff_t>(i * sizeof(float)));
    }
    return tensor.name();
  }

  void normalise() {
    const auto scale = fill({channels_}, 0.05F, 1);
    const auto shift = fill({channels_}, 0.05F, 0);
    const auto mean = fill({channels_}, 0.05F, 0);
    const auto variance = fill({channels_}, 0, 1);
    add("BatchNormalization", {at_, scale, shift, mean, variance});
    add("Clip", {at_, limit(0), limit(6)});
  }

  std::string limit(float value) {
    const auto name = value == 0 ? "zero" : "six";
    for (const auto& known : limits_) {
      if (known == name) return known;
    }
    auto& tensor = *graph_.add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(onnx::TensorProto::FLOAT);
    tensor.add_float_data(value);
    return limits_.emplace_back(name);
  }

  onnx::GraphProto& graph_;
  NormalDraws draws_;
  std::string at_ = "input";
  std::int64_t channels_ = 3;
  std::vector<std::string> limits_;
};

/// How often a middle block is needed for so many parameters, the end blocks being a fifth of them.
unsigned middle_blocks(const MobileNetSettings& settings) {
  if (settings.scale_parameters == 0) return kRepeatedBlocks * settings.scale;
  constexpr std::uint64_t kMiddle = 512ULL * 512 + 9 * 512;
  constexpr std::uint64_t kEnd = 1024ULL * 1024 + 9 * 1024;
  constexpr auto kStep = kRepeatedBlocks * kMiddle + kEnd;
  const auto more = kOriginalParameters * (settings.scale_parameters - 1);
  return kRepeatedBlocks * static_cast<unsigned>(1 + (more + kStep / 2) / kStep);
}

onnx::ModelProto new_model(const char* name) {
  onnx::ModelProto model;
  model.set_ir_version(kIrVersion);
  model.set_producer_name("tcfdl");
  model.add_opset_import()->set_version(kOpset);
  model.mutable_graph()->set_name(name);
  return model;
}

Bytes serialised(const onnx::ModelProto& model) {
  Bytes file(model.ByteSizeLong());
  model.SerializeToArray(file.data(), static_cast<int>(file.size()));
  return file;
}

} // namespace

Result<Bytes> make_mobilenet(const MobileNetSettings& settings) {
  if (settings.scale == 0 || settings.scale > kMostMobileNetScale || settings.scale_parameters > kMostMobileNetScale) {
    return make_error(Code::kInvalidArgument, "the scale of a MobileNet is 1 to {}", kMostMobileNetScale);
  }
  auto model = new_model("mobilenet");
  auto& graph = *model.mutable_graph();
  describe_value(*graph.add_input(), "input", {1, 3, 224, 224});
  describe_value(*graph.add_output(), "scores", {1, 1000});
  const auto middle = middle_blocks(settings);
  MobileNetWriter(graph, settings.seed).layers(middle, middle / kRepeatedBlocks);
  return serialised(model);
}

Bytes make_idle_model(std::int64_t elements) {
  constexpr std::int64_t kHead = 16;
  auto model = new_model("idle");
  auto& graph = *model.mutable_graph();
  describe_value(*graph.add_input(), "input", {elements});
  describe_value(*graph.add_output(), "head", {kHead});
  auto& node = *graph.add_node();
  node.set_name("slice");
  node.set_op_type("Slice");
  node.add_input("input");
  node.add_output("head");
  for (const auto& [name, value] : {std::pair{"starts", std::int64_t{0}}, {"ends", kHead}}) {
    auto& tensor = *graph.add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(onnx::TensorProto::INT64);
    tensor.add_dims(1);
    tensor.add_int64_data(value);
    node.add_input(name);
  }
  return serialised(model);
}

} // namespace tcfdl::inference
