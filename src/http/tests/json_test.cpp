#include "http/json.hpp"

#include <gtest/gtest.h>

namespace tcfdl::http {
namespace {

Result<JsonObject> object(std::string_view text) { return JsonObject::parse(as_bytes(text), "body"); }

TEST(ParseJson, RefusesMalformedTextWithItsPlace) {
  for (const auto* text : {"", "{", "[1,]", "nul", "{\"a\":1}x", "\"\xFF\"", "1e999", "{'a':1}", "\"\x01\""}) {
    const auto document = parse_json(as_bytes(text));
    ASSERT_FALSE(document) << text;
    EXPECT_EQ(document.error().code(), Code::kInvalidArgument);
  }
  EXPECT_EQ(parse_json(as_bytes("[1,]")).error().message(), "no valid JSON at byte 4");
}

TEST(ParseJson, BoundsDepthAndSize) {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_TRUE(parse_json(as_bytes(nested(4)), {.depth = 4, .size = 100}));
  EXPECT_FALSE(parse_json(as_bytes(nested(5)), {.depth = 4, .size = 100}));
  EXPECT_FALSE(parse_json(as_bytes(nested(60)), {.depth = 100, .size = 100}));
  EXPECT_FALSE(parse_json(as_bytes(nested(500'000))));
  EXPECT_FALSE(parse_json(as_bytes(std::string(500'000, '['))));
}

TEST(ParseJson, RefusesKeysThatAppearTwice) {
  EXPECT_FALSE(parse_json(as_bytes(R"({"a":1,"a":2})")));
  EXPECT_FALSE(parse_json(as_bytes(R"([{"b":{"a":1,"\u0061":2}}])")));
  EXPECT_TRUE(parse_json(as_bytes(R"([{"a":1},{"a":{"a":2}}])")));
}

TEST(ParseJson, BoundsValuesAndIsQuickWithManyObjects) {
  std::string text = "[{}";
  for (int i = 0; i < 200'000; ++i) text += ",{}";
  text += "]";
  const auto document = parse_json(as_bytes(text));
  ASSERT_TRUE(document);
  EXPECT_EQ(document->size(), 200'001U);
  EXPECT_TRUE(parse_json(as_bytes("[1,{}]"), {.values = 3}));
  const auto refused = parse_json(as_bytes("[1,{},3]"), {.values = 3});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message(), "the JSON text has more than 3 values");
}

/// Takes arrays of the key `data` and writes down what it gets.
class WritingSink final : public JsonSink {
public:
  std::optional<nlohmann::json> take_array(std::size_t depth, const std::string& key) override {
    if (key != "data") return std::nullopt;
    return "taken at " + std::to_string(depth);
  }
  void on_array() override { got += "("; }
  void on_array_end() override { got += ")"; }
  void on_value(const nlohmann::json& value) override { got += value.dump() + " "; }

  std::string got;
};

TEST(ParseJson, GivesArraysToASink) {
  WritingSink sink;
  const auto text =
      R"({"a":[1],"in":[{"data":[[1,-2],[true,{"data":[7,{"k":[8]}],"k":1,"k":2},"x"]],"z":0}],"data":3})";
  const auto document = parse_json(as_bytes(text), {.depth = 9}, &sink);
  ASSERT_TRUE(document) << document.error().message();
  EXPECT_EQ(sink.got, R"(((1 -2 )(true {} "x" )))");
  EXPECT_EQ(document->dump(), R"({"a":[1],"data":3,"in":[{"data":"taken at 3","z":0}]})");
  EXPECT_FALSE(parse_json(as_bytes(text), {.depth = 8}, &sink)) << "what is taken has a depth, too";
  EXPECT_FALSE(parse_json(as_bytes(R"({"data":[)"), {}, &sink));
}

TEST(DumpJson, ReplacesBytesThatAreNoText) { EXPECT_EQ(dump_json("\xFF"), "\"\xEF\xBF\xBD\""); }

TEST(JsonObject, ReadsEveryKindOfValue) {
  auto body =
      object(R"({"t":"x","i":-3,"n":1.5,"b":true,"l":["a","b"],"is":[1,2],"m":{"k":"v"},"nm":{"half":0.5},"o":{"z":1},
                         "os":[{"z":2}],"v":[null],"null":null})");
  ASSERT_TRUE(body);
  EXPECT_EQ(body->text("t"), "x");
  EXPECT_EQ(body->integer("i", -5, 5), -3);
  EXPECT_EQ(body->number_or("n", 0, 0, 2), 1.5);
  EXPECT_TRUE(body->boolean_or("b", false));
  EXPECT_EQ(body->texts("l"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(body->integers("is", 0, 9), (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(body->text_map("m").front().second, "v");
  EXPECT_EQ(body->number_map("nm").at("half"), 0.5);
  EXPECT_EQ(body->object("o")->integer("z", 0, 9), 1);
  EXPECT_EQ(body->objects("os").front().integer("z", 0, 9), 2);
  EXPECT_EQ(body->value("v")->size(), 1U);
  EXPECT_EQ(body->text_or("null", "absent"), "absent");
  EXPECT_TRUE(body->finish());
}

TEST(JsonObject, RefusesUnknownKeys) {
  auto body = object(R"({"name":"a","nmae":"b"})");
  ASSERT_TRUE(body);
  EXPECT_EQ(body->text("name"), "a");
  EXPECT_EQ(body->finish().error().message(), "body: unknown key 'nmae'");
}

TEST(JsonObject, NamesThePathOfWhatIsWrong) {
  auto body = object(R"({"stages":[{"name":"a"},{}]})");
  ASSERT_TRUE(body);
  auto stages = body->objects("stages");
  ASSERT_EQ(stages.size(), 2U);
  EXPECT_EQ(stages[1].text("name"), "");
  EXPECT_EQ(stages[1].finish().error().message(), "body.stages[1]: 'name' is missing");
}

TEST(JsonObject, RefusesValuesOfOtherKindsOrOutOfRange) {
  for (const auto* text :
       {R"({"i":9})", R"({"i":"1"})", R"({"i":1.0})", R"({"i":18446744073709551615})", R"({"t":1})", R"({"b":1})",
        R"({"l":"a"})", R"({"l":[1]})", R"({"m":[]})", R"({"m":{"a":1}})", R"({"o":1})", R"({"os":[1]})",
        R"({"is":[9]})", R"({"n":"1"})", R"({"n":9})", R"({"nm":1})", R"({"nm":{"a":"1"}})"}) {
    auto body = object(text);
    ASSERT_TRUE(body);
    (void)body->integer_or("i", 0, 0, 5);
    (void)body->text_or("t", "");
    (void)body->boolean_or("b", false);
    (void)body->texts("l");
    (void)body->text_map("m");
    (void)body->number_map("nm");
    (void)body->object("o");
    (void)body->objects("os");
    (void)body->integers("is", 0, 5);
    (void)body->number_or("n", 0, 0, 5);
    EXPECT_FALSE(body->finish()) << text;
  }
  EXPECT_FALSE(object("[]"));
}

} // namespace
} // namespace tcfdl::http
