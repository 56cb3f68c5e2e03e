#include "cli/bodies.hpp"

#include "base/file.hpp"

#include <array>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <thread>

namespace tcfdl::cli {
namespace {

std::string rest_of(BodyReader& body) {
  std::string text;
  Bytes piece(1000);
  for (;;) {
    const auto size = body.read(piece).value_or(0);
    if (size == 0) return text;
    text += as_text(BytesView(piece).first(size));
  }
}

class Bodies : public testing::Test {
protected:
  [[nodiscard]] std::string file(const std::string& name) const { return (root_.path() / name).string(); }
  TemporaryDirectory root_;
};

TEST_F(Bodies, OfFilesKnowTheirSizeAndBeginAgain) {
  const std::string text(5'000'000, 'a');
  ASSERT_TRUE(write_file(file("in"), as_bytes(text)));
  const auto body = InputBody::open(file("in")).value();
  EXPECT_EQ(body->size(), text.size());
  EXPECT_TRUE(rest_of(*body) == text);
  ASSERT_TRUE(body->rewind());
  EXPECT_TRUE(rest_of(*body) == text);
  EXPECT_EQ(InputBody::open(file("none")).error().code(), Code::kNotFound);
}

/// What a pipe gives, as `invoke --in <(program)` does.
std::unique_ptr<InputBody> piped(const std::string& text, UniqueFd& in, std::jthread& writer) {
  std::array<int, 2> ends{};
  EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  in = UniqueFd(ends[0]);
  writer = std::jthread([text, end = ends[1]] {
    const UniqueFd out(end);
    EXPECT_TRUE(write_all(out.get(), as_bytes(text)));
  });
  return InputBody::open(fmt::format("/proc/self/fd/{}", ends[0])).value();
}

TEST_F(Bodies, OfPipesBeginAgainWhileTheyAreSmall) {
  UniqueFd in;
  std::jthread writer;
  const std::string text(1'000'000, 'b');
  const auto body = piped(text, in, writer);
  EXPECT_FALSE(body->size());
  Bytes piece(100);
  ASSERT_TRUE(body->read(piece));
  ASSERT_TRUE(body->rewind());
  EXPECT_TRUE(rest_of(*body) == text);
  ASSERT_TRUE(body->rewind());
  EXPECT_TRUE(rest_of(*body) == text);
}

TEST_F(Bodies, OfPipesDoNotBeginAgainOnceTheyAreLarge) {
  UniqueFd in;
  std::jthread writer;
  const std::string text(1'100'000, 'c');
  const auto body = piped(text, in, writer);
  EXPECT_TRUE(rest_of(*body) == text);
  EXPECT_FALSE(body->rewind());
}

TEST_F(Bodies, ThatComeAreThereAsAWholeOrNotAtAll) {
  {
    OutputBody lost(file("lost"));
    ASSERT_TRUE(lost.write(as_bytes("half")));
  }
  EXPECT_FALSE(std::filesystem::exists(file("lost")));
  OutputBody kept(file("kept"));
  ASSERT_TRUE(kept.write(as_bytes("one ")));
  ASSERT_TRUE(kept.write(as_bytes("two")));
  EXPECT_FALSE(std::filesystem::exists(file("kept")));
  ASSERT_TRUE(kept.finish());
  EXPECT_EQ(read_text_file(file("kept")).value_or(""), "one two");
  EXPECT_EQ(kept.size(), 7U);
  OutputBody empty(file("empty"));
  ASSERT_TRUE(empty.finish());
  EXPECT_EQ(read_text_file(file("empty")).value_or("none"), "");
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& each : std::filesystem::directory_iterator(root_.path())) ++files;
  EXPECT_EQ(files, 2U) << "nothing temporary is left";
}

TEST_F(Bodies, ThatComeAreReadableToWhomTheUsersMaskAdmits) {
  const auto before = ::umask(077);
  EXPECT_TRUE(write_body(file("private"), as_bytes("secret")));
  ::umask(before);
  struct stat info{};
  ASSERT_EQ(::stat(file("private").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
}

} // namespace
} // namespace tcfdl::cli
