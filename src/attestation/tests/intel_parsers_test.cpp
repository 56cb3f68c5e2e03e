#include "attestation/intel_json.hpp"
#include "attestation/intel_quote.hpp"
#include "attestation/samples/intel_world.hpp"
#include "base/encoding.hpp"

#include <gmock/gmock.h>

namespace tcfdl::attestation {
namespace {

using test::IntelWorld;
using testing::HasSubstr;

std::string quote_error(Bytes quote, std::size_t at, std::uint8_t value) {
  quote.at(at) = value;
  const auto parsed = IntelQuote::parse(quote);
  return parsed ? "" : parsed.error().message();
}

TEST(IntelQuote, RefusesEveryPrefix) {
  for (const auto version : {3U, 4U, 5U}) {
    const auto quote = IntelWorld(version).quote();
    ASSERT_TRUE(IntelQuote::parse(quote));
    for (std::size_t size = 0; size < quote.size(); size += 3) {
      EXPECT_FALSE(IntelQuote::parse(BytesView(quote).first(size))) << size;
    }
  }
}

TEST(IntelQuote, RefusesOtherHeaders) {
  const auto quote = IntelWorld(5).quote();
  EXPECT_THAT(quote_error(quote, 0, 2), HasSubstr("version is 2"));
  EXPECT_THAT(quote_error(quote, 0, 6), HasSubstr("version is 6"));
  EXPECT_THAT(quote_error(quote, 2, 3), HasSubstr("attestation key type"));
  EXPECT_THAT(quote_error(quote, 4, 0), HasSubstr("TEE type"));
  EXPECT_THAT(quote_error(quote, 12, 0), HasSubstr("vendor"));
  EXPECT_THAT(quote_error(quote, 48, 1), HasSubstr("body type"));
  EXPECT_THAT(quote_error(quote, 50, 0), HasSubstr("body size"));
  EXPECT_FALSE(IntelQuote::parse(Bytes(kLargestQuote + 1)));
}

TEST(IntelQuote, BoundsEveryLength) {
  const auto quote = IntelWorld(4).quote();
  const std::size_t data = 632 + 4;
  EXPECT_THAT(quote_error(quote, 632 + 3, 0xFF), HasSubstr("signature data"));
  EXPECT_THAT(quote_error(quote, data + 128, 5), HasSubstr("outer certification data type"));
  EXPECT_THAT(quote_error(quote, data + 130 + 3, 0xFF), HasSubstr("outer certification data"));
  EXPECT_THAT(quote_error(quote, data + 134 + 448 + 1, 0xFF), HasSubstr("QE authentication data"));
  EXPECT_THAT(quote_error(quote, data + 134 + 450 + 32, 6), HasSubstr("certification data type"));
  EXPECT_THAT(quote_error(quote, data + 134 + 452 + 32, 0), HasSubstr("certification data"));
}

TEST(PckFacts, ReadsWhatTheExtensionSays) {
  IntelWorld world;
  world.pck.components[4] = 255;
  world.pck.pcesvn = 0x8001;
  const auto facts = PckFacts::parse(world.pck_extension());
  ASSERT_TRUE(facts) << facts.error().to_string();
  EXPECT_EQ(facts->components, world.pck.components);
  EXPECT_EQ(facts->pcesvn, 0x8001);
  EXPECT_EQ(facts->fmspc, world.pck.fmspc);
  EXPECT_EQ(facts->ppid, world.pck.ppid);
}

TEST(PckFacts, RefusesDamage) {
  const IntelWorld world;
  const auto good = world.pck_extension();
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(PckFacts::parse(BytesView(good).first(size))) << size;
  }
  auto longer = good;
  longer.push_back(0);
  EXPECT_FALSE(PckFacts::parse(longer));
  auto twice = good;
  const auto second = std::ranges::search(twice, Bytes{0x01, 0x0d, 0x01, 0x04});
  second[3] = 0x03; // the FMSPC under the OID of PCEID
  EXPECT_THAT(PckFacts::parse(twice).error().message(), HasSubstr("field 3 twice"));
}

TEST(SignedJson, KeepsTheExactBytesOfTheMember) {
  const auto signature = std::string(128, 'a');
  const auto body = std::string(R"({ "a" : "}\"{" , "b":[{}] })");
  for (const auto& text : {fmt::format(" {{\"m\" :{},\"signature\":\"{}\"}}\n", body, signature),
                           fmt::format("{{\"signature\":\"{}\", \"m\": {} }}", signature, body)}) {
    const auto document = SignedJson::parse(as_bytes(text), "m");
    ASSERT_TRUE(document) << document.error().to_string();
    EXPECT_EQ(as_text(document->body), body);
    EXPECT_EQ(document->signature, Bytes(64, 0xAA));
  }
}

TEST(SignedJson, RefusesOtherForms) {
  const auto s = "\"signature\":\"" + std::string(128, 'a') + "\"";
  for (const auto& text : std::vector<std::string>{
           "", "{}", "[]", "{\"m\":{}}", "{" + s + "}", "{" + s + "," + s + "}", "{\"m\":{},\"m\":{}}",
           "{\"m\":{}," + s + ",\"x\":1}", "{\"m\":{}," + s + "}x", "{\"m\":[]," + s + "}", "{\"m\":{," + s + "}",
           "{\"m\":{}," + s.substr(0, s.size() - 3) + "\"}", "{\"n\":{}," + s + "}", "{\"m\":{}," + s, "{\"m\":{\"a\\",
           "{\"\\u006d\":{}," + s + "}"}) {
    EXPECT_FALSE(SignedJson::parse(as_bytes(text), "m")) << text;
  }
  EXPECT_FALSE(SignedJson::parse(Bytes(kLargestJson + 1, ' '), "m"));
}

TEST(TcbInfo, ReadsVersionTwo) {
  std::string components;
  for (int at = 1; at <= 16; ++at) components += fmt::format("\"sgxtcbcomp{:02}svn\":{},", at, at);
  const auto text = fmt::format(
      R"({{"version":2,"issueDate":"2021-01-01T00:00:00Z","nextUpdate":"2021-02-01T00:00:00Z","fmspc":"00906ED50000",)"
      R"("pceId":"0000","tcbType":0,"tcbEvaluationDataNumber":5,"tcbLevels":[{{"tcb":{{{}"pcesvn":9}},)"
      R"("tcbDate":"2020-01-01T00:00:00Z","tcbStatus":"ConfigurationNeeded"}}]}})",
      components);
  const auto info = parse_tcb_info(as_bytes(text));
  ASSERT_TRUE(info) << info.error().to_string();
  EXPECT_EQ(info->id, "SGX");
  EXPECT_EQ(info->levels.at(0).sgx[15], 16);
  EXPECT_EQ(info->levels.at(0).verdict.status, TcbStatus::kConfigurationNeeded);
}

TEST(TcbInfo, RefusesWhatItDoesNotUnderstand) {
  const auto refused = [](const char* old, const char* fresh) {
    auto text = IntelWorld(4).tcb_info;
    IntelWorld::replace(text, old, fresh);
    const auto info = parse_tcb_info(as_bytes(text));
    return info ? "" : info.error().message();
  };
  EXPECT_THAT(refused("\"version\":3", "\"version\":4"), HasSubstr("'version'"));
  EXPECT_THAT(refused("\"version\":3", "\"version\":2"), HasSubstr("'version'"));
  EXPECT_THAT(refused("\"id\":\"TDX\"", "\"id\":\"XYZ\""), HasSubstr("'id'"));
  EXPECT_THAT(refused("\"tcbType\":0", "\"tcbType\":1"), HasSubstr("'tcbType'"));
  EXPECT_THAT(refused("00906ED50000", "00906ED500"), HasSubstr("'fmspc'"));
  EXPECT_THAT(refused("\"svn\":5", "\"svn\":256"), HasSubstr("'svn'"));
  EXPECT_THAT(refused("{\"svn\":5},", ""), HasSubstr("16 components"));
  EXPECT_THAT(refused("\"UpToDate\"", "\"Fine\""), HasSubstr("'tcbStatus'"));
  EXPECT_THAT(refused("\"issueDate\":\"2025", "\"issueDate\":\"x"), HasSubstr("'issueDate'"));
  EXPECT_THAT(refused("\"pcesvn\":13", "\"pcesvn\":-1"), HasSubstr("'pcesvn'"));
  EXPECT_THAT(refused("\"tcbLevels\":[", "\"tcbLevels\":7,\"x\":["), HasSubstr("'tcbLevels'"));
  EXPECT_THAT(refused("\"tcbType\":0", "\"tcbType\":0,\"tcbType\":0"), HasSubstr("twice"));
}

TEST(TcbStatus, TheWorseWinsAndMissingSettingsAreRemembered) {
  using enum TcbStatus;
  EXPECT_EQ(worse(kUpToDate, kSwHardeningNeeded), kSwHardeningNeeded);
  EXPECT_EQ(worse(kOutOfDate, kUpToDate), kOutOfDate);
  EXPECT_EQ(worse(kOutOfDate, kConfigurationNeeded), kOutOfDateConfigurationNeeded);
  EXPECT_EQ(worse(kConfigurationAndSwHardeningNeeded, kOutOfDate), kOutOfDateConfigurationNeeded);
  EXPECT_EQ(worse(kRevoked, kOutOfDate), kRevoked);
  for (const auto* name : {"UpToDate", "SWHardeningNeeded", "ConfigurationNeeded", "ConfigurationAndSWHardeningNeeded",
                           "OutOfDate", "OutOfDateConfigurationNeeded", "Revoked"}) {
    EXPECT_EQ(name_of(parse_tcb_status(name).value()), name);
  }
  EXPECT_FALSE(parse_tcb_status("uptodate"));
}

TEST(TcbLevels, TheFirstMatchInOrderCounts) {
  PckFacts pck;
  pck.components.fill(5);
  pck.pcesvn = 5;
  std::vector<PlatformLevel> levels(3);
  levels[0].sgx.fill(6);
  levels[1].sgx.fill(4);
  EXPECT_EQ(match_platform(levels, pck, {}), &levels[1]);
  levels[1].pcesvn = 6;
  EXPECT_EQ(match_platform(levels, pck, {}), &levels[2]);
  levels[2].sgx[15] = 6;
  EXPECT_EQ(match_platform(levels, pck, {}), nullptr);
  EXPECT_EQ(match_platform({}, pck, {}), nullptr);
}

TEST(EqualMasked, LooksAtMaskedBitsOnly) {
  EXPECT_TRUE(equal_masked(Bytes{0x15}, Bytes{0x11}, Bytes{0xFB}));
  EXPECT_FALSE(equal_masked(Bytes{0x13}, Bytes{0x11}, Bytes{0xFB}));
  EXPECT_FALSE(equal_masked(Bytes{0x11}, Bytes{0x11}, Bytes{}));
}

} // namespace
} // namespace tcfdl::attestation
