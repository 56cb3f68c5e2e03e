// Names have owners, versions never go back, and nothing runs that its owner did not sign.
#include "base/encoding.hpp"
#include "database/sqlite.hpp"
#include "support/platform.hpp"
#include "wire/descriptor.hpp"
#include "wire/signed.hpp"

#include <algorithm>
#include <csignal>
#include <gmock/gmock.h>

namespace tcfdl::test {
namespace {

using testing::HasSubstr;

constexpr const char* kTwoClusters = R"(clusters:
  - name: west
  - name: east
)";

class Owners : public testing::Test {
protected:
  /// Makes a key; its fingerprint.
  std::string make_key(Platform& platform, const std::string& name) const {
    const auto made = platform.json({"key", "create", "--out", key(name)});
    EXPECT_TRUE(made.is_object());
    return made.is_object() ? made.value("fingerprint", "") : "";
  }
  [[nodiscard]] std::string key(const std::string& name) const { return (directory_.path() / name).string(); }

  /// A function file around the echo example, in a directory of its own.
  [[nodiscard]] std::string function_file(const std::string& name, const std::string& more) const {
    const auto source = directory_.path() / "source";
    std::filesystem::create_directories(source);
    std::filesystem::copy_file(Platform::binary("examples-echo"), source / "program",
                               std::filesystem::copy_options::skip_existing);
    const auto file = source / (name + ".yaml");
    EXPECT_TRUE(write_file(file, as_bytes(fmt::format("name: {}\ncommand: [bin/p]\nfiles: [{{source: program, path: "
                                                      "bin/p}}]\nprotection: [eae, none]\n{}",
                                                      name, more))));
    return file.string();
  }
  Finished deploy(Platform& platform, const std::string& cluster, const std::string& owner, const std::string& more,
                  std::vector<std::string> options = {}) const {
    options.insert(options.begin(),
                   {"function", "deploy", function_file("echo", more), "--key", key(owner), "--context", cluster});
    return platform.tcfdl(std::move(options));
  }
  static Json shown(Platform& platform, const std::string& cluster = "local") {
    return platform.json({"function", "show", "echo", "--context", cluster});
  }
  /// What the status says of why functions and instances do not run.
  static std::string problems(Platform& platform) { return platform.tcfdl({"status"}).out; }
  static std::filesystem::path node(const Platform& platform, const std::string& name) {
    return platform.state() / "nodes" / name;
  }

  TemporaryDirectory directory_;
};

TEST_F(Owners, KeysAreMadeOnceForTheirOwnerAndShown) {
  Platform platform;
  const auto fingerprint = make_key(platform, "anna");
  EXPECT_EQ(fingerprint.size(), 64U);
  EXPECT_EQ(std::filesystem::status(key("anna")).permissions(), std::filesystem::perms(0600));
  EXPECT_THAT(platform.tcfdl({"key", "show", key("anna")}).out, HasSubstr(fingerprint));
  const auto again = platform.tcfdl({"key", "create", "--out", key("anna")});
  EXPECT_EQ(again.exit_code, 1);
  EXPECT_THAT(again.err, HasSubstr("ALREADY_EXISTS"));
  EXPECT_EQ(platform.json({"key", "show", key("anna")})["fingerprint"], fingerprint);
}

TEST_F(Owners, AnotherClusterCannotTakeAName) {
  Platform platform(kTwoClusters);
  ASSERT_EQ(platform.up(), "");
  const auto anna = make_key(platform, "anna");
  const auto mallory = make_key(platform, "mallory");
  const auto first = deploy(platform, "west", "anna", "version: 1\n");
  ASSERT_EQ(first.exit_code, 0) << first.err;
  EXPECT_EQ(shown(platform, "west")["owner"], anna);

  for (const auto* cluster : {"east", "west"}) {
    const auto theft = deploy(platform, cluster, "mallory", "version: 9\n");
    EXPECT_EQ(theft.exit_code, 1) << cluster;
    EXPECT_THAT(theft.err, HasSubstr("PERMISSION_DENIED"));
    EXPECT_THAT(theft.err, HasSubstr(anna)) << "it says whose the name is";
    EXPECT_THAT(theft.err, HasSubstr(mallory));
    EXPECT_THAT(theft.err, HasSubstr("choose another name"));
  }
  EXPECT_TRUE(shown(platform, "east").is_null()) << "nothing of it is there";
  const auto called = platform.invoke("echo", "hello", {"--context", "east"});
  EXPECT_EQ(called.out, "hello") << called.err;
  EXPECT_EQ(called.summary["cluster"], "west");

  // The owner decides which other clusters provide it.
  ASSERT_EQ(deploy(platform, "west", "anna", "version: 2\nproviders: [west]\n").exit_code, 0);
  const auto uninvited = deploy(platform, "east", "anna", "version: 3\nproviders: [west]\n");
  EXPECT_EQ(uninvited.exit_code, 1);
  EXPECT_THAT(uninvited.err, HasSubstr("does not name cluster east among its providers"));
  const auto invited = deploy(platform, "east", "anna", "version: 4\nproviders: [west, east]\n");
  EXPECT_EQ(invited.exit_code, 0) << invited.err;
}

TEST_F(Owners, ANameTakenWhileTheServiceManagerIsAwayGetsNothingWhenItIsBack) {
  Platform platform(kTwoClusters);
  ASSERT_EQ(platform.up(), "");
  make_key(platform, "anna");
  make_key(platform, "mallory");
  ASSERT_EQ(deploy(platform, "west", "anna", "version: 1\n").exit_code, 0);

  const auto service_manager = platform.ready("service-manager")["pid"].get<pid_t>();
  ::kill(service_manager, SIGSTOP);
  const auto theft = deploy(platform, "east", "mallory", "version: 9\n", {"--no-wait"});
  EXPECT_EQ(theft.exit_code, 0) << "nobody can tell yet: " << theft.err;
  const auto early = platform.invoke("echo", "secret", {"--context", "east", "--timeout", "2s"});
  EXPECT_EQ(early.exit_code, 1) << "no keys, so no instance";
  ::kill(service_manager, SIGCONT);

  const auto refused = [&] {
    const auto function = shown(platform, "east");
    return function.is_object() && function.value("problem", "").contains("PERMISSION_DENIED") &&
           function.value("instances", Json::array()).empty();
  };
  EXPECT_TRUE(eventually(refused)) << shown(platform, "east").dump();
  EXPECT_TRUE(eventually([&] {
    const auto called = platform.invoke("echo", "hello", {"--context", "east", "--timeout", "5s"});
    return called.exit_code == 0 && called.summary["cluster"] == "west";
  })) << "callers there go to the owner's function";
}

TEST_F(Owners, VersionsNeverGoBackWhateverRegistryAndMasterForgot) {
  Platform platform;
  ASSERT_EQ(platform.up(), "");
  make_key(platform, "anna");
  ASSERT_EQ(deploy(platform, "local", "anna", "version: 1\n").exit_code, 0);
  platform.down();
  const auto backup = directory_.path() / "backup";
  std::filesystem::create_directories(backup);
  for (const auto* name : {"service-manager", "local-master"}) {
    std::filesystem::copy(node(platform, name), backup / name, std::filesystem::copy_options::recursive);
  }
  ASSERT_EQ(platform.up(), "");
  ASSERT_EQ(deploy(platform, "local", "anna", "version: 2\n").exit_code, 0);
  EXPECT_EQ(platform.invoke("echo", "hello").out, "hello");
  const auto older = deploy(platform, "local", "anna", "version: 1\n");
  EXPECT_EQ(older.exit_code, 1);
  EXPECT_THAT(older.err, HasSubstr("FAILED_PRECONDITION"));
  EXPECT_THAT(older.err, HasSubstr("version 1 of echo is older than version 2"));

  // The authority and the master are set back; what their proxies know is theirs.
  platform.down();
  for (const auto* name : {"service-manager", "local-master"}) {
    for (const auto* end : {"", "-wal", "-shm"}) {
      const auto file =
          std::string(name == std::string("local-master") ? "master" : "service_manager") + ".sqlite" + end;
      std::filesystem::remove(node(platform, name) / file);
      if (std::filesystem::exists(backup / name / file))
        std::filesystem::copy_file(backup / name / file, node(platform, name) / file);
    }
  }
  ASSERT_EQ(platform.up(), "");
  EXPECT_EQ(shown(platform)["version"], 1) << "the registry went back";
  EXPECT_TRUE(eventually([&] { return problems(platform).contains("version 1 of echo is older than version 2"); }))
      << problems(platform);
  const auto called = platform.invoke("echo", "hello", {"--timeout", "3s"});
  EXPECT_EQ(called.exit_code, 1);
}

TEST_F(Owners, ASignedFunctionIsDeployedFarFromItsSourceAndItsKey) {
  Platform platform;
  ASSERT_EQ(platform.up(), "");
  const auto anna = make_key(platform, "anna");
  const auto out = directory_.path() / "echo.signed";
  const auto made = platform.tcfdl({"function", "sign", function_file("echo", "version: 7\nscale: {min: 2}\n"), "--key",
                                    key("anna"), "--out", out.string()});
  ASSERT_EQ(made.exit_code, 0) << made.err;
  EXPECT_THAT(made.out, HasSubstr(anna));
  const TemporaryDirectory elsewhere;
  const auto there = elsewhere.path() / "received";
  std::filesystem::rename(out, there);
  std::filesystem::remove_all(directory_.path() / "source");
  std::filesystem::remove(key("anna"));

  const auto files = there / "files";
  const auto program = std::filesystem::directory_iterator(files)->path();
  const auto content = read_text_file(program, std::size_t{1} << 30U).value();
  ASSERT_TRUE(write_file(program, as_bytes(content.substr(0, content.size() - 1) + "X")));
  const auto tampered = platform.tcfdl({"function", "deploy", there.string()});
  EXPECT_EQ(tampered.exit_code, 1);
  EXPECT_THAT(tampered.err, HasSubstr("is not the file that was signed"));
  ASSERT_TRUE(write_file(program, as_bytes(content)));

  const auto deployed = platform.tcfdl({"function", "deploy", there.string()});
  ASSERT_EQ(deployed.exit_code, 0) << deployed.err;
  const auto function = shown(platform);
  EXPECT_EQ(function["owner"], anna);
  EXPECT_EQ(function["version"], 7);
  EXPECT_EQ(function["instances_ready"], 2);
  EXPECT_EQ(platform.invoke("echo", "from afar").out, "from afar");
  EXPECT_FALSE(std::filesystem::exists(platform.root() / "contexts" / "owner.key")) << "no key is needed there";
}

TEST_F(Owners, AChangedByteInTheArtefactStoreDoesNotRun) {
  Platform platform;
  ASSERT_EQ(platform.up(), "");
  make_key(platform, "anna");
  ASSERT_EQ(deploy(platform, "local", "anna", "version: 1\nscale: {min: 0}\n").exit_code, 0);
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(node(platform, "local-master") / "artefacts")) {
    if (!entry.is_regular_file()) continue;
    auto content = read_file(entry.path()).value();
    content.back() ^= 1U;
    ASSERT_TRUE(write_file(entry.path(), content));
  }
  const auto deployed = deploy(platform, "local", "anna", "version: 1\nscale: {min: 1}\n", {"--timeout", "5s"});
  EXPECT_EQ(deployed.exit_code, 1);
  EXPECT_THAT(deployed.err, HasSubstr("DATA_LOSS"));
  EXPECT_TRUE(eventually([&] { return problems(platform).contains("DATA_LOSS"); })) << problems(platform);
  EXPECT_EQ(platform.invoke("echo", "x", {"--timeout", "1s"}).exit_code, 1);
}

/// Changes what the master has stored of `echo`, behind its back.
void forge(const std::filesystem::path& master, const std::string& column, const Bytes& content) {
  const auto database = database::Database::open(master / "master.sqlite").value();
  ASSERT_TRUE(database->execute("UPDATE functions SET " + column + " = ? WHERE name = 'echo'", {content}));
}

TEST_F(Owners, ASwappedManifestOrAnotherOwnersDescriptorDoesNotRun) {
  Platform platform;
  ASSERT_EQ(platform.up(), "");
  const auto anna = make_key(platform, "anna");
  ASSERT_EQ(deploy(platform, "local", "anna", "version: 1\n").exit_code, 0);
  const auto master = node(platform, "local-master");
  Bytes manifest;
  Bytes descriptor;
  const auto forge_and_wait = [&](const std::string& column, const Bytes& content, const std::string& reason) {
    platform.down();
    forge(master, column, content);
    ASSERT_EQ(platform.up(), "");
    EXPECT_TRUE(eventually([&] { return problems(platform).contains(reason); })) << problems(platform);
    const auto function = shown(platform);
    EXPECT_THAT(function.dump(), HasSubstr(reason));
    EXPECT_EQ(function["instances_ready"], 0);
    EXPECT_EQ(platform.invoke("echo", "x", {"--timeout", "1s"}).exit_code, 1);
  };
  {
    platform.down();
    const auto database = database::Database::open(master / "master.sqlite").value();
    ASSERT_TRUE(database->query("SELECT manifest, descriptor FROM functions WHERE name = 'echo'", {},
                                [&](const database::Row& row) -> Status {
                                  manifest = row.blob(0);
                                  descriptor = row.blob(1);
                                  return {};
                                }));
  }
  auto swapped = std::string(as_text(manifest));
  swapped.replace(swapped.find("0755"), 4, "0644");
  forge_and_wait("manifest", to_bytes(swapped), "the manifest is not the one that the descriptor of echo measures");
  platform.down();
  forge(master, "manifest", manifest);

  const auto thief = crypto::SigningKey::generate();
  const auto original = wire::parse<wire::Signed>(descriptor).value();
  auto stolen = wire::parse<wire::Descriptor>(original.statement()).value();
  forge_and_wait("descriptor", wire::serialize(wire::sign(thief, stolen)), "UNAUTHENTICATED");
  stolen.set_owner_key(wire::field(thief.public_key().bytes()));
  forge_and_wait("descriptor", wire::serialize(wire::sign(thief, stolen)),
                 "belongs to another owner, whose key has the fingerprint " + anna);

  platform.down();
  forge(master, "descriptor", descriptor);
  ASSERT_EQ(platform.up(), "");
  EXPECT_TRUE(eventually([&] { return platform.invoke("echo", "again", {"--timeout", "5s"}).out == "again"; }));
}

} // namespace
} // namespace tcfdl::test
