#include "inference/model_store.hpp"

#include "base/encoding.hpp"
#include "base/file.hpp"
#include "crypto/hash.hpp"
#include "http/json.hpp"
#include "inference/onnx_model.hpp"
#include "inference/onnx_proto.hpp"
#include "inference/signed_document.hpp"

#include <algorithm>
#include <sys/stat.h>

namespace tcfdl::inference {
namespace {

constexpr std::string_view kModelLabel = "model";
constexpr std::string_view kOptimisedLabel = "optimised_model";
constexpr std::string_view kPlanLabel = "model_plan";
constexpr const char* kModelFile = "model.onnx";
constexpr const char* kOptimisedFile = "optimised.onnx";
constexpr std::size_t kShownModels = 20;

/// A name as one part of a path.
std::string as_directory(std::string name) {
  std::ranges::replace(name, '/', '%');
  return name;
}

/// The size of a regular file that lies in the directory itself, not where a link leads.
ExternalSize sizes_in(const std::filesystem::path& directory) {
  return [directory](const std::string& location) -> Result<std::uint64_t> {
    std::error_code failure;
    const auto path = directory / location;
    const auto real = std::filesystem::canonical(path, failure);
    if (failure) {
      return make_error(Code::kInvalidArgument, "the model's external data {} is missing: {}; put it beside the model",
                        path.string(), failure.message());
    }
    const auto inside = real.lexically_relative(std::filesystem::canonical(directory));
    if (inside.empty() || *inside.begin() == "..") {
      return make_error(Code::kInvalidArgument,
                        "{} is a link out of the model's directory, to {}; put the file itself there", path.string(),
                        real.string());
    }
    const auto size = std::filesystem::file_size(real, failure);
    if (failure) return make_error(Code::kInvalidArgument, "{} is no file", path.string());
    return size;
  };
}

std::vector<std::filesystem::path> documents_in(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> files;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory, ignored)) {
    const auto& path = entry.path();
    if (path.extension() == ".json" && !path.filename().string().starts_with('.')) files.push_back(path);
  }
  return files;
}

Status mend_saved_model(const std::filesystem::path& file) {
  TCFDL_ASSIGN(const auto content, read_regular_file(file, kMaxOnnxFile));
  TCFDL_ASSIGN(auto model, parse_onnx(content));
  drop_repeated_initializers(*model.mutable_graph());
  return write_file(file, as_bytes(model.SerializeAsString()), kPrivateFile);
}

/// Checks a model and copies it with its external data into a directory; the paths of that data.
Result<std::set<std::string>> take_in(const std::filesystem::path& source, const std::filesystem::path& directory) {
  TCFDL_ASSIGN(const auto content, read_regular_file(source, kMaxOnnxFile));
  TCFDL_ASSIGN(const auto model, parse_onnx(content));
  TCFDL_ASSIGN(auto locations, check_onnx(model, sizes_in(source.parent_path())));
  TCFDL_TRY(write_file(directory / kModelFile, content, kPrivateFile));
  for (const auto& location : locations) {
    if (location == kModelFile || location.starts_with(kOptimisedFile)) {
      return make_error(Code::kInvalidArgument, "the model's external data is called {}; give it another name",
                        location);
    }
    std::error_code failure;
    std::filesystem::create_directories((directory / location).parent_path(), failure);
    std::filesystem::copy_file(source.parent_path() / location, directory / location, failure);
    if (failure) {
      return make_error(Code::kInternal, "cannot copy {}: {}", (source.parent_path() / location).string(),
                        failure.message());
    }
  }
  return locations;
}

/// The objects that a document lists under `files`.
Status add_objects(BytesView text, std::set<std::string>& used) {
  TCFDL_ASSIGN(const auto document, http::parse_json(text, {.depth = 16, .size = text.size()}));
  for (const auto& file : document.value("files", nlohmann::json::array())) used.insert(file.value("sha256", ""));
  return {};
}

} // namespace

Result<ModelStore> ModelStore::open(const std::filesystem::path& root, crypto::SigningKey owner,
                                    RuntimeProcess runtime) {
  const auto absolute = std::filesystem::absolute(root);
  TCFDL_ASSIGN(auto objects, ObjectStore::open(absolute));
  return ModelStore(absolute, std::move(objects), std::move(owner), std::move(runtime));
}

std::filesystem::path ModelStore::model_file(const std::string& name, std::uint64_t version) const {
  return root_ / "models" / as_directory(name) / fmt::format("{}.json", version);
}

std::filesystem::path ModelStore::plan_file(const ModelRecord& record) const {
  return root_ / "plans" / as_directory(record.name) / fmt::format("{}.json", record.version);
}

std::filesystem::path ModelStore::optimised_file(const std::string& model, const Target& target) const {
  const auto machine = crypto::sha256({as_bytes(target.runtime), as_bytes(" "), as_bytes(target.instruction_set)});
  return root_ / "optimised" / fmt::format("{}-{}.json", model, to_hex(BytesView(machine).first(8)));
}

Result<ModelRecord> ModelStore::read_record(const std::filesystem::path& file) const {
  TCFDL_ASSIGN(const auto text, read_signed_document(file, kModelLabel, owner_.public_key()));
  auto record = parse_model_record(text);
  if (!record) return record.error().within(file.string());
  if (model_file(record->name, record->version) == file) return record;
  return make_error(Code::kDataLoss, "{} is the document of {}@{}; delete it", file.string(), record->name,
                    record->version);
}

Result<RuntimeAnswer> ModelStore::optimise(const std::filesystem::path& directory) const {
  const auto saved = directory / kOptimisedFile;
  auto answer = runtime_.run({.kind = WorkKind::kOptimise, .model = directory / kModelFile, .save = saved});
  if (!answer) return answer.error().within("the model cannot be loaded");
  TCFDL_TRY(mend_saved_model(saved));
  return answer;
}

Result<OptimisedModel> ModelStore::keep_optimised(const ModelRecord& record, const RuntimeAnswer& answer,
                                                  const std::filesystem::path& directory) {
  OptimisedModel optimised{.model = record.id(), .target = {answer.runtime, answer.instruction_set}};
  for (const auto& name : {std::string(kOptimisedFile), std::string(kOptimisedFile) + ".weights"}) {
    if (!std::filesystem::exists(directory / name)) continue;
    TCFDL_ASSIGN(auto file, objects_.put(directory / name, name));
    optimised.files.push_back(std::move(file));
  }
  TCFDL_TRY(write_signed_document(optimised_file(optimised.model, optimised.target), kOptimisedLabel,
                                  to_json(optimised), owner_));
  return optimised;
}

Result<std::uint64_t> ModelStore::version_of(const ModelReference& as) const {
  if (as.version != 0 && std::filesystem::exists(model_file(as.name, as.version))) {
    return make_error(Code::kAlreadyExists, "there is a model {}@{}; import it as another version", as.name,
                      as.version);
  }
  if (as.version != 0) return as.version;
  const auto newest = find({as.name, 0});
  if (newest) return newest->version + 1;
  if (newest.error().code() != Code::kNotFound) return newest.error();
  return 1U;
}

Result<ModelRecord> ModelStore::import(const std::filesystem::path& file, const ModelReference& as) {
  TCFDL_TRY(version_of(as));
  TCFDL_ASSIGN(const auto directory, work());
  TCFDL_ASSIGN(const auto locations, take_in(std::filesystem::absolute(file), directory.path()));
  TCFDL_ASSIGN(auto answer, optimise(directory.path()));
  TCFDL_ASSIGN(const auto lock, objects_.lock(true));
  ModelRecord record{.name = as.name};
  TCFDL_ASSIGN(record.version, version_of(as));
  TCFDL_ASSIGN(auto main, objects_.put(directory.path() / kModelFile, kModelFile));
  record.files.push_back(std::move(main));
  for (const auto& location : locations) {
    TCFDL_ASSIGN(auto data, objects_.put(directory.path() / location, location));
    record.files.push_back(std::move(data));
  }
  TCFDL_TRY(keep_optimised(record, answer, directory.path()));
  record.inputs = std::move(answer.inputs);
  record.outputs = std::move(answer.outputs);
  TCFDL_TRY(write_signed_document(model_file(record.name, record.version), kModelLabel, to_json(record), owner_));
  return record;
}

Result<std::vector<ModelRecord>> ModelStore::list() const {
  std::vector<ModelRecord> records;
  for (const auto& file : documents_in(root_ / "models")) {
    TCFDL_ASSIGN(auto record, read_record(file));
    records.push_back(std::move(record));
  }
  std::ranges::sort(records, [](const auto& left, const auto& right) {
    return std::tie(left.name, left.version) < std::tie(right.name, right.version);
  });
  return records;
}

Result<ModelRecord> ModelStore::find(const ModelReference& reference) const {
  std::uint64_t newest = reference.version;
  for (const auto& file : documents_in(root_ / "models" / as_directory(reference.name))) {
    const auto stem = file.stem().string();
    if (reference.version == 0) newest = std::max<std::uint64_t>(newest, std::strtoull(stem.c_str(), nullptr, 10));
  }
  const auto file = model_file(reference.name, newest);
  if (newest > 0 && std::filesystem::exists(file)) return read_record(file);
  std::set<std::string> names;
  TCFDL_ASSIGN(const auto records, list());
  for (const auto& record : records) {
    if (names.size() < kShownModels) names.insert(fmt::format("{}@{}", record.name, record.version));
  }
  std::string known;
  for (const auto& name : names) known += (known.empty() ? "" : ", ") + name;
  return make_error(Code::kNotFound, "there is no model {}{} in {}; there are: {}", reference.name,
                    reference.version == 0 ? "" : fmt::format("@{}", reference.version), root_.string(),
                    known.empty() ? "none; import one" : known);
}

Result<std::set<std::string>> ModelStore::used_objects() const {
  std::set<std::string> used;
  const auto add_all = [&](const char* part, std::string_view label) -> Status {
    for (const auto& file : documents_in(root_ / part)) {
      TCFDL_ASSIGN(const auto text, read_signed_document(file, label, owner_.public_key()));
      TCFDL_TRY(add_objects(text, used));
    }
    return {};
  };
  TCFDL_TRY(add_all("models", kModelLabel));
  TCFDL_TRY(add_all("optimised", kOptimisedLabel));
  TCFDL_TRY(add_all("plans", kPlanLabel));
  return used;
}

Status ModelStore::collect() const {
  TCFDL_ASSIGN(const auto used, used_objects());
  (void)objects_.collect(used);
  return {};
}

Result<std::size_t> ModelStore::remove(const ModelReference& reference) {
  TCFDL_ASSIGN(const auto lock, objects_.lock(true));
  TCFDL_TRY(find(reference));
  TCFDL_ASSIGN(const auto records, list());
  std::size_t removed = 0;
  std::set<std::string> kept;
  std::error_code ignored;
  for (const auto& record : records) {
    if (record.name != reference.name || (reference.version != 0 && record.version != reference.version)) {
      kept.insert(record.id());
      continue;
    }
    std::filesystem::remove(model_file(record.name, record.version), ignored);
    std::filesystem::remove(plan_file(record), ignored);
    ++removed;
  }
  for (const auto& file : documents_in(root_ / "optimised")) {
    const auto name = file.filename().string();
    if (!kept.contains(name.substr(0, name.find('-')))) std::filesystem::remove(file, ignored);
  }
  TCFDL_TRY(collect());
  return removed;
}

Result<Target> ModelStore::target() const {
  TCFDL_ASSIGN(const auto answer, runtime_.run({.kind = WorkKind::kDescribe}));
  return Target{answer.runtime, answer.instruction_set};
}

Result<std::filesystem::path> ModelStore::runtime_file() const {
  TCFDL_ASSIGN(const auto answer, runtime_.run({.kind = WorkKind::kDescribe}));
  return answer.runtime_file;
}

Result<OptimisedModel> ModelStore::optimised(const ModelRecord& record) {
  TCFDL_ASSIGN(const auto here, target());
  const auto text = read_signed_document(optimised_file(record.id(), here), kOptimisedLabel, owner_.public_key());
  if (text) return parse_optimised_model(*text);
  if (text.error().code() != Code::kNotFound) return text.error();
  TCFDL_ASSIGN(const auto directory, work());
  TCFDL_TRY(put_out(record.files, directory.path()));
  TCFDL_ASSIGN(const auto answer, optimise(directory.path()));
  TCFDL_ASSIGN(const auto lock, objects_.lock(false));
  return keep_optimised(record, answer, directory.path());
}

Status ModelStore::put_out(const std::vector<StoredFile>& files, const std::filesystem::path& directory) const {
  for (const auto& file : files) TCFDL_TRY(objects_.get(file, directory));
  return {};
}

Result<ModelPlan> ModelStore::plan(const ModelRecord& record) const {
  const auto text = read_signed_document(plan_file(record), kPlanLabel, owner_.public_key());
  if (!text && text.error().code() == Code::kNotFound) {
    return make_error(Code::kNotFound,
                      "there is no plan of {}@{}; `tcfdl model plan {} --enclave-memory 90MiB` makes one", record.name,
                      record.version, record.name);
  }
  if (!text) return text.error();
  auto plan = parse_model_plan(*text);
  if (!plan) return plan.error().within(plan_file(record).string());
  if (plan->model == record.id()) return plan;
  return make_error(Code::kDataLoss, "{} is the plan of another model; plan anew", plan_file(record).string());
}

Status ModelStore::keep_plan(const ModelRecord& record, ModelPlan& plan, const std::filesystem::path& directory) {
  TCFDL_ASSIGN(const auto lock, objects_.lock(true));
  for (auto& stage : plan.stages) {
    TCFDL_ASSIGN(stage.file, objects_.put(directory / stage.file.path, stage.file.path));
  }
  TCFDL_TRY(write_signed_document(plan_file(record), kPlanLabel, to_json(plan), owner_));
  return collect();
}

} // namespace tcfdl::inference
