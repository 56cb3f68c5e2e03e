// What the commands of `tcfdl model` share.
#pragma once

#include "cli/command.hpp"
#include "inference/model_store.hpp"

#include <memory>

namespace tcfdl::cli {

struct ModelOptions {
  std::string store; ///< empty: `models` in the client's state directory
  std::string key;   ///< empty: the owner's key beside the contexts
  std::string model; ///< NAME or NAME@VERSION
};

/// Options of every command that reads the store.
void add_store_options(CLI::App& command, const std::shared_ptr<ModelOptions>& options);
/// The same and the model's name.
void add_model_options(CLI::App& command, const std::shared_ptr<ModelOptions>& options);

Result<inference::ModelStore> open_store(const ModelOptions& options);

/// The model that the options name.
Result<inference::ModelRecord> find_model(const inference::ModelStore& store, const ModelOptions& options);

/// `4.5 MiB`.
std::string bytes_text(std::uint64_t bytes);

// Of the group `model`.
void add_model_profile_command(CLI::App& group, Session& session);
void add_model_plan_command(CLI::App& group, Session& session);
void add_model_verify_command(CLI::App& group, Session& session);
void add_model_deploy_commands(CLI::App& group, Session& session);
void add_model_infer_command(CLI::App& group, Session& session);
void add_model_synthesis_command(CLI::App& group, Session& session);

} // namespace tcfdl::cli
