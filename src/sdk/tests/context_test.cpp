#include "sdk/context.hpp"

#include "base/file.hpp"

#include <cstdlib>
#include <gmock/gmock.h>
#include <sys/stat.h>

namespace tcfdl::sdk {
namespace {

class ContextTest : public testing::Test {
protected:
  ContextTest() {
    ::setenv("TCFDL_CONTEXT_DIR", folder().c_str(), 1);
    ::unsetenv("TCFDL_CONTEXT");
  }
  ~ContextTest() override {
    ::unsetenv("TCFDL_CONTEXT_DIR");
    ::unsetenv("TCFDL_CONTEXT");
  }
  std::filesystem::path folder() const { return directory_.path() / "contexts"; }
  static Context context(const std::string& name) {
    return {.name = name,
            .cluster = "west",
            .api_url = "http://127.0.0.1:1",
            .api_token = "a",
            .gateway_url = "http://127.0.0.1:2",
            .gateway_token = "b",
            .tasks_address = "tcp:127.0.0.1:3",
            .tasks_token = "c",
            .client = "anna",
            .signing_key = "s",
            .seal_key = "h",
            .certificate = "d",
            .authority_key = "k",
            .tls_root = "PEM",
            .tls_server_name = "west.cluster.tcfdl.internal",
            .tls_certificate = "LEAF"};
  }
  static Code code_of(const std::string& name) {
    const auto loaded = load_context(name);
    return loaded ? Code{} : loaded.error().code();
  }

  TemporaryDirectory directory_;
};

TEST_F(ContextTest, ComesBackAsItWasSaved) {
  ASSERT_TRUE(save_context(context("home"), false));
  const auto loaded = load_context("home");
  ASSERT_TRUE(loaded) << loaded.error().to_string();
  const auto saved = context("home");
  for (const auto field :
       {&Context::name, &Context::cluster, &Context::api_url, &Context::api_token, &Context::gateway_url,
        &Context::gateway_token, &Context::tasks_address, &Context::tasks_token, &Context::client,
        &Context::signing_key, &Context::seal_key, &Context::certificate, &Context::authority_key, &Context::tls_root,
        &Context::tls_server_name, &Context::tls_certificate}) {
    EXPECT_EQ((*loaded).*field, saved.*field);
  }
}

TEST_F(ContextTest, IsForItsOwnerOnly) {
  ASSERT_TRUE(save_context(context("home"), false));
  struct stat info{};
  ASSERT_EQ(::stat((folder() / "home.json").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  ASSERT_EQ(::chmod((folder() / "home.json").c_str(), 0640), 0);
  const auto loaded = load_context("home");
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code(), Code::kPermissionDenied);
  EXPECT_THAT(loaded.error().message(), testing::HasSubstr("chmod 600"));
}

TEST_F(ContextTest, TheFirstOneIsCurrentUntilAnotherIsChosen) {
  EXPECT_EQ(code_of(""), Code::kNotFound);
  ASSERT_TRUE(save_context(context("first"), false));
  ASSERT_TRUE(save_context(context("second"), false));
  EXPECT_EQ(load_context("").value().name, "first");
  ASSERT_TRUE(save_context(context("third"), true));
  EXPECT_EQ(load_context("").value().name, "third");
  ASSERT_TRUE(set_current_context("second"));
  EXPECT_EQ(current_context(), "second");
  EXPECT_FALSE(set_current_context("fourth"));
  EXPECT_THAT(list_contexts(), testing::ElementsAre("first", "second", "third"));
}

TEST_F(ContextTest, TheEnvironmentChoosesBeforeTheCurrentOne) {
  ASSERT_TRUE(save_context(context("first"), true));
  ASSERT_TRUE(save_context(context("second"), false));
  ::setenv("TCFDL_CONTEXT", "second", 1);
  EXPECT_EQ(load_context("").value().name, "second");
  EXPECT_EQ(load_context("first").value().name, "first");
  ::setenv("TCFDL_CONTEXT", (folder() / "first.json").c_str(), 1);
  EXPECT_EQ(load_context("").value().name, "first") << "a path is a name too";
}

TEST_F(ContextTest, IsGoneWhenRemoved) {
  ASSERT_TRUE(save_context(context("home"), true));
  ASSERT_TRUE(remove_context("home"));
  EXPECT_EQ(current_context(), "");
  EXPECT_EQ(code_of("home"), Code::kNotFound);
  EXPECT_EQ(remove_context("home").error().code(), Code::kNotFound);
}

TEST_F(ContextTest, RefusesNamesThatLeaveItsDirectory) {
  EXPECT_FALSE(save_context(context("../home"), false));
  EXPECT_FALSE(save_context(context(""), false));
  EXPECT_FALSE(remove_context("../home"));
}

TEST_F(ContextTest, RefusesADamagedFile) {
  ASSERT_TRUE(save_context(context("home"), false));
  for (const std::string_view text : {"", "{", "[]", R"({"name": "home"})", R"({"name": 1})"}) {
    ASSERT_TRUE(write_file(folder() / "home.json", as_bytes(text), kPrivateFile));
    EXPECT_EQ(code_of("home"), Code::kInvalidArgument) << text;
  }
}

} // namespace
} // namespace tcfdl::sdk
