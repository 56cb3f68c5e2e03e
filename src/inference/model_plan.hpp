// How a model is cut into stages: what `tcfdl model plan` makes. docs/formats/model_plan.md.
#pragma once

#include "inference/model_record.hpp"
#include "inference/partitioning/planner.hpp"

#include <map>

namespace tcfdl::inference {

/// A tensor that a stage reads or makes.
struct StageTensor {
  TensorInfo info;
  std::uint64_t bytes = 0;
  std::size_t from = 0; ///< the stage that makes it, from 1; 0 for the caller
};

struct StagePlan {
  std::string node; ///< its type of nodes
  std::size_t operators = 0;
  std::string first = {}; ///< name of its first operator
  std::string last = {};
  StoredFile file = {}; ///< packed
  std::vector<StageTensor> inputs = {};
  std::vector<StageTensor> outputs = {};
  std::uint64_t memory = 0; ///< of the enclave, bytes
  std::uint64_t predicted_memory = 0;
  std::uint64_t measured_memory = 0; ///< peak of the process, resident
  std::uint64_t weights = 0;
  std::uint64_t arena_limit = 0; ///< what it may use for tensors and stay within `memory` less the plan's reserve
  double predicted_us = 0;       ///< with sealing and opening, on its node
  double measured_us = 0;        ///< the run alone, on the machine that planned
  double receive_us = 0;
  double send_us = 0;
};

struct ModelPlan {
  std::string name;
  std::uint64_t version = 0;
  std::string model; ///< the model's id
  Target target = {};
  unsigned threads = 1;
  bool prepacking = false;
  Objective objective = Objective::kThroughput;
  std::vector<TensorInfo> inputs = {};       ///< with the largest shapes
  std::map<std::string, double> values = {}; ///< of inputs all of whose elements had one
  std::vector<StagePlan> stages = {};
  std::uint64_t base_memory = 0; ///< of a process with the libraries and no model
  std::uint64_t reserve = 0;     ///< of each enclave, beside the stage: the SDK's and of tasks that wait
  double bottleneck_us = 0;
  double latency_us = 0;
  unsigned rounds = 0;   ///< of planning and measuring
  std::string note = {}; ///< why a model cannot be split well; empty otherwise
  std::vector<Alternative> alternatives = {};

  [[nodiscard]] std::vector<StoredFile> files() const;
};

nlohmann::json to_json(const ModelPlan& plan);
/// INVALID_ARGUMENT for what is no plan, or whose stages do not follow each other.
Result<ModelPlan> parse_model_plan(BytesView text);

} // namespace tcfdl::inference
