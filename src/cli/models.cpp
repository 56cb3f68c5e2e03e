#include "cli/models.hpp"

#include "cli/layout.hpp"
#include "cli/owner_key.hpp"

#include <CLI/CLI.hpp>

namespace tcfdl::cli {
namespace {

using inference::ModelRecord;

Json tensors_json(const std::vector<inference::TensorInfo>& infos) {
  auto list = Json::array();
  for (const auto& info : infos) {
    list.push_back({{"name", info.name},
                    {"type", info.tensor ? inference::element_name(info.type) : "no tensor"},
                    {"shape", info.shape}});
  }
  return list;
}

Json document_of(const ModelRecord& record) {
  auto files = Json::array();
  for (const auto& file : record.files) {
    files.push_back({{"path", file.path}, {"sha256", file.sha256}, {"size", file.size}});
  }
  return {{"name", record.name},
          {"version", record.version},
          {"id", record.id()},
          {"size", record.size()},
          {"files", files},
          {"inputs", tensors_json(record.inputs)},
          {"outputs", tensors_json(record.outputs)}};
}

std::string tensors_text(const std::vector<inference::TensorInfo>& infos) {
  std::string text;
  for (const auto& info : infos) {
    const auto form = info.tensor
                          ? fmt::format("{} {}", inference::element_name(info.type), inference::shape_text(info.shape))
                          : std::string("no tensor");
    text += fmt::format("{}{} ({})", text.empty() ? "" : ", ", info.name, form);
  }
  return text;
}

void print_records(const std::vector<ModelRecord>& records) {
  std::vector<std::vector<std::string>> rows{{"NAME", "VERSION", "SIZE", "FILES", "ID"}};
  for (const auto& record : records) {
    rows.push_back({record.name, std::to_string(record.version), bytes_text(record.size()),
                    std::to_string(record.files.size()), record.id().substr(0, 16)});
  }
  print(table(rows));
}

Status import_model(const Session& session, const ModelOptions& options, const std::string& file,
                    std::uint64_t version) {
  TCFDL_ASSIGN(auto as, inference::parse_model_reference(options.model));
  if (version != 0) as.version = version;
  TCFDL_ASSIGN(auto store, open_store(options));
  auto record = store.import(file, as);
  if (!record) return record.error().within(file);
  if (session.json) {
    print_json(document_of(*record));
  } else {
    print_records({*record});
  }
  return {};
}

Status list_models(const Session& session, const ModelOptions& options) {
  TCFDL_ASSIGN(const auto store, open_store(options));
  TCFDL_ASSIGN(const auto records, store.list());
  if (!session.json) {
    print_records(records);
    return {};
  }
  auto documents = Json::array();
  for (const auto& record : records) documents.push_back(document_of(record));
  print_json({{"models", documents}});
  return {};
}

Status show_model(const Session& session, const ModelOptions& options) {
  TCFDL_ASSIGN(const auto store, open_store(options));
  TCFDL_ASSIGN(const auto record, find_model(store, options));
  if (session.json) {
    print_json(document_of(record));
    return {};
  }
  std::vector<std::vector<std::string>> rows{{"name", record.name},
                                             {"version", std::to_string(record.version)},
                                             {"id", record.id()},
                                             {"inputs", tensors_text(record.inputs)},
                                             {"outputs", tensors_text(record.outputs)}};
  for (const auto& file : record.files) {
    rows.push_back({"file", fmt::format("{} {} sha256:{}", file.path, bytes_text(file.size), file.sha256)});
  }
  print(table(rows));
  return {};
}

Status remove_model(const Session& session, const ModelOptions& options) {
  TCFDL_ASSIGN(const auto reference, inference::parse_model_reference(options.model));
  TCFDL_ASSIGN(auto store, open_store(options));
  TCFDL_ASSIGN(const auto removed, store.remove(reference));
  if (session.json) {
    print_json({{"removed", removed}});
  } else {
    print(fmt::format("removed {} version{} of {}\n", removed, removed == 1 ? "" : "s", reference.name));
  }
  return {};
}

void add_import_command(CLI::App& group, Session& session) {
  auto* command = group.add_subcommand("import", "check an ONNX model and keep it in the store");
  auto options = std::make_shared<ModelOptions>();
  auto file = std::make_shared<std::string>();
  auto version = std::make_shared<std::uint64_t>(0);
  add_store_options(*command, options);
  command->add_option("file", *file, "the model; its external data beside it is taken along")
      ->required()
      ->type_name("FILE");
  command->add_option("--name", options->model, "what it is called here")->required()->type_name("NAME");
  command->add_option("--version", *version, "default: the next one")->check(CLI::Range(1, 1'000'000'000));
  command->callback(
      session.run([&session, options, file, version] { return import_model(session, *options, *file, *version); }));
}

} // namespace

std::string bytes_text(std::uint64_t bytes) {
  const auto number = static_cast<double>(bytes);
  if (bytes >= std::uint64_t{1} << 30U) return fmt::format("{:.2f} GiB", number / (1U << 30U));
  if (bytes >= 1U << 20U) return fmt::format("{:.1f} MiB", number / (1U << 20U));
  if (bytes >= 1U << 10U) return fmt::format("{:.1f} KiB", number / (1U << 10U));
  return fmt::format("{} B", bytes);
}

void add_store_options(CLI::App& command, const std::shared_ptr<ModelOptions>& options) {
  command.add_option("--store", options->store, "default: `models` in the state directory")->type_name("DIR");
  command.add_option("--key", options->key, "the owner's key; default: owner.key beside the contexts")
      ->type_name("FILE");
}

void add_model_options(CLI::App& command, const std::shared_ptr<ModelOptions>& options) {
  add_store_options(command, options);
  command.add_option("model", options->model, "NAME for the newest version, or NAME@VERSION")
      ->required()
      ->type_name("NAME");
}

Result<inference::ModelStore> open_store(const ModelOptions& options) {
  TCFDL_ASSIGN(auto key, choose_owner_key(options.key));
  TCFDL_ASSIGN(auto runtime, inference::RuntimeProcess::beside_own());
  const auto root = options.store.empty() ? Layout::at("").root() / "models" : std::filesystem::path(options.store);
  return inference::ModelStore::open(root, std::move(key), std::move(runtime));
}

Result<inference::ModelRecord> find_model(const inference::ModelStore& store, const ModelOptions& options) {
  TCFDL_ASSIGN(const auto reference, inference::parse_model_reference(options.model));
  return store.find(reference);
}

void add_model_commands(CLI::App& app, Session& session) {
  auto* group = app.add_subcommand("model", "models: kept here, measured, cut into stages")->require_subcommand(1);
  add_import_command(*group, session);
  auto options = std::make_shared<ModelOptions>();
  auto* listing = group->add_subcommand("list", "the models in the store");
  add_store_options(*listing, options);
  listing->callback(session.run([&session, options] { return list_models(session, *options); }));
  auto* showing = group->add_subcommand("show", "a model's files, inputs and outputs");
  add_model_options(*showing, options);
  showing->callback(session.run([&session, options] { return show_model(session, *options); }));
  auto* removing = group->add_subcommand("remove", "a version, or all versions, with what was made of them");
  add_model_options(*removing, options);
  removing->callback(session.run([&session, options] { return remove_model(session, *options); }));
  add_model_profile_command(*group, session);
  add_model_plan_command(*group, session);
  add_model_verify_command(*group, session);
  add_model_deploy_commands(*group, session);
  add_model_infer_command(*group, session);
  add_model_synthesis_command(*group, session);
}

} // namespace tcfdl::cli
