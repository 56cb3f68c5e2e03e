#include "tee/gramine_manifest.hpp"

#include "base/encoding.hpp"
#include "tee/bundle.hpp"

#include <gtest/gtest.h>

namespace tcfdl::tee {
namespace {

GramineSettings own() {
  return {.program = "/proc/self/exe", .arguments = {}, .environment = {}, .passed_environment = {}};
}

TEST(GramineManifest, StringsAreEscaped) {
  EXPECT_EQ(*toml_string("plain ü €"), "\"plain ü €\"");
  EXPECT_EQ(*toml_string("a\"b\\c"), "\"a\\\"b\\\\c\"");
  EXPECT_EQ(*toml_string("\n\t\x7f"), "\"\\u000A\\u0009\\u007F\"");
  EXPECT_EQ(*toml_string("{{ env }}"), "\"\\u007B\\u007B env }}\"") << "no words for the template engine";
  EXPECT_EQ(*toml_string(std::string_view("\0", 1)), "\"\\u0000\"");
  for (const auto* bad : {"\xff", "\xc0\x80", "\xe2\x82", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\x80"}) {
    EXPECT_FALSE(toml_string(bad));
  }
}

TEST(GramineManifest, TrustsTheProgramAndItsLibrariesByHash) {
  const auto text = make_gramine_manifest(own());
  ASSERT_TRUE(text) << text.error().to_string();
  const auto program = std::filesystem::canonical("/proc/self/exe");
  const auto hash = to_hex(*measure_file(program));
  EXPECT_NE(text->find(fmt::format("{{ uri = \"file:{}\", sha256 = \"{}\" }}", program.string(), hash)),
            std::string::npos);
  EXPECT_NE(text->find("libcrypto.so.3\", sha256 = "), std::string::npos);
  EXPECT_EQ(text->find("libc.so.6"), std::string::npos) << "Gramine brings its own";
  EXPECT_NE(text->find(fmt::format("libos.entrypoint = \"{}\"\n", program.string())), std::string::npos);
  for (const auto* line :
       {"sgx.remote_attestation = \"dcap\"\n", "sgx.debug = false\n", "sgx.enclave_size = \"512M\"\n",
        "type = \"encrypted\", path = \"/state\", uri = \"file:/var/lib/tcfdl\", key_name = "
        "\"_sgx_mrenclave\"",
        "{{ gramine.libos }}"}) {
    EXPECT_NE(text->find(line), std::string::npos) << line;
  }
  for (const auto* never : {"insecure", "allowed_files", "debug = true"})
    EXPECT_EQ(text->find(never), std::string::npos);
}

TEST(GramineManifest, PassesArgumentsAndEnvironmentExplicitly) {
  auto settings = own();
  settings.arguments = {"--name", "a \"b\""};
  settings.environment = {{"MODE", "x\ny"}};
  settings.passed_environment = {"TCFDL_PROXY"};
  const auto text = make_gramine_manifest(settings);
  ASSERT_TRUE(text) << text.error().to_string();
  EXPECT_NE(text->find(", \"--name\", \"a \\\"b\\\"\"]\n"), std::string::npos);
  EXPECT_NE(text->find("loader.env.MODE = \"x\\u000Ay\"\n"), std::string::npos);
  EXPECT_NE(text->find("loader.env.TCFDL_PROXY = { passthrough = true }\n"), std::string::npos);
}

TEST(GramineManifest, RefusesWhatGramineWouldNotTake) {
  const auto refused = [](auto bend) {
    auto settings = own();
    bend(settings);
    const auto text = make_gramine_manifest(settings);
    return text ? Code::kUnknown : text.error().code();
  };
  using S = GramineSettings;
  EXPECT_EQ(refused([](S& s) { s.enclave_memory = 500ULL << 20U; }), Code::kInvalidArgument);
  EXPECT_EQ(refused([](S& s) { s.enclave_memory = 32ULL << 20U; }), Code::kInvalidArgument);
  EXPECT_EQ(refused([](S& s) { s.threads = 1; }), Code::kInvalidArgument);
  EXPECT_EQ(refused([](S& s) { s.environment["A=B"] = "x"; }), Code::kInvalidArgument);
  EXPECT_EQ(refused([](S& s) { s.environment["A\nsgx.debug"] = "x"; }), Code::kInvalidArgument);
  EXPECT_EQ(refused([](S& s) { s.environment["LD_LIBRARY_PATH"] = "x"; }), Code::kInvalidArgument);
  EXPECT_EQ(refused([](S& s) { s.environment["A"] = "x", s.passed_environment = {"A"}; }), Code::kInvalidArgument);
  EXPECT_EQ(refused([](S& s) { s.arguments = {"\xff"}; }), Code::kInvalidArgument);
  EXPECT_EQ(refused([](S& s) { s.program = "/nowhere"; }), Code::kNotFound);
  EXPECT_EQ(refused([](S& s) { s.program = "/etc/passwd"; }), Code::kInvalidArgument) << "no ELF program";
}

} // namespace
} // namespace tcfdl::tee
