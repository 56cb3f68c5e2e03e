#include "base/encoding.hpp"
#include "cli/command.hpp"
#include "cli/owner_key.hpp"
#include "wire/descriptor.hpp"

#include <CLI/CLI.hpp>
#include <memory>

namespace tcfdl::cli {
namespace {

void tell(const Session& session, const std::string& file, const crypto::SigningKey& key) {
  const auto bytes = key.public_key().bytes();
  if (session.json) {
    print_json({{"file", file}, {"fingerprint", wire::fingerprint(bytes)}, {"public_key", to_hex(bytes)}});
  } else {
    print(table({{"FILE", "FINGERPRINT"}, {file, wire::fingerprint(bytes)}}));
  }
}

Status create(const Session& session, const std::string& file) {
  TCFDL_ASSIGN(const auto key, create_owner_key(file));
  tell(session, file, key);
  return {};
}

Status show_key(const Session& session, const std::string& file) {
  const auto path = file.empty() ? default_owner_key().string() : file;
  TCFDL_ASSIGN(const auto key, read_owner_key(path));
  tell(session, path, key);
  return {};
}

} // namespace

void add_key_commands(CLI::App& app, Session& session) {
  auto* group = app.add_subcommand("key", "keys that own names of functions")->require_subcommand(1);
  auto file = std::make_shared<std::string>();
  auto* creating = group->add_subcommand("create", "make a key, in a file for its owner only");
  creating->add_option("--out", *file, "a file that does not exist")->required()->type_name("FILE");
  creating->callback(session.run([&session, file] { return create(session, *file); }));
  auto* showing = group->add_subcommand("show", "the fingerprint and the public key");
  showing->add_option("file", *file, "the key; owner.key beside the contexts if absent")->type_name("FILE");
  showing->callback(session.run([&session, file] { return show_key(session, *file); }));
}

} // namespace tcfdl::cli
