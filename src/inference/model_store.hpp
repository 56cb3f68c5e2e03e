// The models of one owner on one machine. docs/formats/model_store.md.
#pragma once

#include "crypto/signature.hpp"
#include "inference/model_plan.hpp"
#include "inference/runtime_process.hpp"

#include <set>

namespace tcfdl::inference {

/// Everything is written whole or not at all, and checked against its hash and the owner's signature when it is read.
/// Several processes may use one store.
class ModelStore {
public:
  /// Creates the directory where it is missing. The key signs what is written and must have signed what is read.
  static Result<ModelStore> open(const std::filesystem::path& root, crypto::SigningKey owner, RuntimeProcess runtime);

  /// Checks a model, has ONNX Runtime load and optimise it, and keeps it. Version 0 stands for the next one.
  /// INVALID_ARGUMENT with what is wrong with the model, ALREADY_EXISTS for a version that is there.
  Result<ModelRecord> import(const std::filesystem::path& file, const ModelReference& as);

  /// All models, by name and version. DATA_LOSS or UNAUTHENTICATED where one cannot be trusted.
  [[nodiscard]] Result<std::vector<ModelRecord>> list() const;

  /// NOT_FOUND names the models that are there.
  [[nodiscard]] Result<ModelRecord> find(const ModelReference& reference) const;

  /// Removes one version, or all for version 0, with what nothing else uses; how many versions.
  Result<std::size_t> remove(const ModelReference& reference);

  /// The model as this machine's ONNX Runtime optimised it; made where it is missing.
  Result<OptimisedModel> optimised(const ModelRecord& record);

  /// Puts files into a directory of `work()`.
  [[nodiscard]] Status put_out(const std::vector<StoredFile>& files, const std::filesystem::path& directory) const;
  [[nodiscard]] Result<WorkDirectory> work() const { return objects_.work(); }

  /// The plan of a model. NOT_FOUND says how to make one.
  [[nodiscard]] Result<ModelPlan> plan(const ModelRecord& record) const;
  /// Keeps a plan in place of the former one, and its stages' files, which lie in `directory`: their hashes and sizes
  /// are written into the plan.
  Status keep_plan(const ModelRecord& record, ModelPlan& plan, const std::filesystem::path& directory);

  [[nodiscard]] const RuntimeProcess& runtime() const noexcept { return runtime_; }
  /// This machine's ONNX Runtime and instruction set.
  [[nodiscard]] Result<Target> target() const;
  /// The file from which that ONNX Runtime is loaded.
  [[nodiscard]] Result<std::filesystem::path> runtime_file() const;

private:
  ModelStore(std::filesystem::path root, ObjectStore objects, crypto::SigningKey owner, RuntimeProcess runtime)
      : root_(std::move(root)), objects_(std::move(objects)), owner_(std::move(owner)), runtime_(std::move(runtime)) {}

  [[nodiscard]] std::filesystem::path model_file(const std::string& name, std::uint64_t version) const;
  [[nodiscard]] std::filesystem::path plan_file(const ModelRecord& record) const;
  [[nodiscard]] std::filesystem::path optimised_file(const std::string& model, const Target& target) const;
  [[nodiscard]] Result<ModelRecord> read_record(const std::filesystem::path& file) const;
  /// Optimises the model that lies in a directory, into files beside it.
  [[nodiscard]] Result<RuntimeAnswer> optimise(const std::filesystem::path& directory) const;
  Result<OptimisedModel> keep_optimised(const ModelRecord& record, const RuntimeAnswer& answer,
                                        const std::filesystem::path& directory);
  /// The version that a model gets. ALREADY_EXISTS.
  [[nodiscard]] Result<std::uint64_t> version_of(const ModelReference& as) const;
  /// Removes what no document names; under the lock, alone.
  [[nodiscard]] Status collect() const;
  /// The hashes that documents name.
  [[nodiscard]] Result<std::set<std::string>> used_objects() const;

  std::filesystem::path root_;
  ObjectStore objects_;
  crypto::SigningKey owner_;
  RuntimeProcess runtime_;
};

} // namespace tcfdl::inference
