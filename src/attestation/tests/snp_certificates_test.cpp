#include "attestation/snp_certificates.hpp"

#include "base/encoding.hpp"
#include "crypto/samples/test_pki.hpp"

#include <gtest/gtest.h>

namespace tcfdl::attestation {
namespace {

using crypto::test::Key;

constexpr auto kArk = "c0b406a4a803495297433fb6014cd0ae";
constexpr auto kVcek = "63da758de6644564adc5f4b93be8accd";
constexpr auto kCrl = "92f81bc358114d3d97ffd19f88dc67ea";
constexpr auto kUnknown = "0102030405060708090a0b0c0d0e0f10";

void put32(Bytes& bytes, std::size_t value) {
  for (unsigned shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<std::uint8_t>(value >> shift));
}

void put_entry(Bytes& bytes, const std::string& guid, std::size_t offset, std::size_t length) {
  const auto octets = from_hex(guid).value();
  bytes.insert(bytes.end(), octets.begin(), octets.end());
  put32(bytes, offset);
  put32(bytes, length);
}

Bytes table(const std::vector<std::pair<std::string, Bytes>>& entries) {
  Bytes bytes;
  std::size_t offset = (entries.size() + 1) * 24;
  for (const auto& [guid, content] : entries) {
    put_entry(bytes, guid, offset, content.size());
    offset += content.size();
  }
  bytes.resize(bytes.size() + 24);
  for (const auto& [guid, content] : entries) bytes.insert(bytes.end(), content.begin(), content.end());
  return bytes;
}

Bytes certificate(const std::string& name) {
  static const auto kKey = Key::p384();
  return make_certificate({.subject = name, .issuer = name, .not_after = 2'000'000'000}, kKey, kKey);
}

Bytes crl() {
  return make_crl({.issuer = "ark", .this_update = 0, .next_update = 2'000'000'000, .serials = {7}}, Key::rsa());
}

Bytes pem(const Bytes& der, const std::string& label = "CERTIFICATE") {
  return to_bytes(crypto::test::to_pem(der, label));
}

std::vector<std::string> names(const SnpCertificates& certificates) {
  std::vector<std::string> list;
  for (const auto& one : certificates.certificates()) list.push_back(one.common_name());
  return list;
}

TEST(SnpTable, ReadsEntriesInOrder) {
  const auto bytes = table({{kArk, {1, 2}}, {kVcek, {3}}, {kCrl, {4}}, {kUnknown, {5, 6, 7}}});
  const auto entries = parse_snp_table(bytes);
  ASSERT_TRUE(entries) << entries.error().to_string();
  ASSERT_EQ(entries->size(), 4U);
  EXPECT_EQ((*entries)[0].kind, SnpTableKind::kArk);
  EXPECT_EQ((*entries)[1].kind, SnpTableKind::kVcek);
  EXPECT_EQ((*entries)[2].kind, SnpTableKind::kCrl);
  EXPECT_EQ((*entries)[3].kind, SnpTableKind::kOther);
  EXPECT_TRUE(std::ranges::equal((*entries)[3].content, Bytes{5, 6, 7}));
}

TEST(SnpTable, ZerosAreNoEntries) {
  EXPECT_EQ(parse_snp_table(Bytes(4096))->size(), 0U);
  EXPECT_EQ(parse_snp_table({})->size(), 0U);
}

TEST(SnpTable, RefusesEntriesOutsideTheContent) {
  const auto refused = [](std::size_t offset, std::size_t length) {
    Bytes bytes;
    put_entry(bytes, kVcek, offset, length);
    bytes.resize(48 + 10, 0);
    bytes.back() = 1;
    const auto entries = parse_snp_table(bytes);
    return !entries && entries.error().code() == Code::kInvalidArgument;
  };
  EXPECT_FALSE(refused(48, 10));
  EXPECT_TRUE(refused(48, 11));
  EXPECT_TRUE(refused(58, 1));
  EXPECT_TRUE(refused(59, 0));
  EXPECT_TRUE(refused(48, 0));
  EXPECT_TRUE(refused(8, 10)) << "within the entries";
  EXPECT_TRUE(refused(0xFFFFFFFF, 2));
  EXPECT_TRUE(refused(48, 0xFFFFFFFF));
}

TEST(SnpTable, RefusesAListWithoutEnd) {
  Bytes bytes;
  for (int i = 0; i < 16; ++i) put_entry(bytes, kVcek, 17 * 24, 1);
  bytes.resize(17 * 24 + 1);
  EXPECT_TRUE(parse_snp_table(bytes));
  bytes.resize(16 * 24);
  EXPECT_FALSE(parse_snp_table(bytes)) << "cut";
  put_entry(bytes, kVcek, 17 * 24, 1);
  bytes.resize(19 * 24);
  EXPECT_FALSE(parse_snp_table(bytes)) << "17 entries";
}

TEST(SnpCertificates, TakesEveryForm) {
  SnpCertificates files;
  EXPECT_TRUE(files.add(certificate("der")));
  EXPECT_TRUE(files.add(pem(certificate("pem"))));
  auto bundle = pem(certificate("first"));
  const auto second = pem(certificate("second"));
  bundle.insert(bundle.end(), second.begin(), second.end());
  EXPECT_TRUE(files.add(bundle));
  EXPECT_TRUE(files.add(table(
      {{kArk, pem(certificate("table pem"))}, {kUnknown, {1}}, {kVcek, certificate("table der")}, {kCrl, crl()}})));
  EXPECT_TRUE(files.add(crl()));
  EXPECT_TRUE(files.add(pem(crl(), "X509 CRL")));
  EXPECT_EQ(names(files), (std::vector<std::string>{"der", "pem", "first", "second", "table pem", "table der"}));
  EXPECT_EQ(files.crls().size(), 3U);
}

TEST(SnpCertificates, TakesABundleOfBothKinds) {
  auto bundle = pem(certificate("ca"));
  const auto list = pem(crl(), "X509 CRL");
  bundle.insert(bundle.end(), list.begin(), list.end());
  SnpCertificates files;
  EXPECT_TRUE(files.add(bundle));
  EXPECT_EQ(names(files), std::vector<std::string>{"ca"});
  EXPECT_EQ(files.crls().size(), 1U);
}

TEST(SnpCertificates, RefusesWhatIsNeither) {
  SnpCertificates files;
  EXPECT_FALSE(files.add({}));
  EXPECT_FALSE(files.add(to_bytes("just text of some length")));
  EXPECT_FALSE(files.add(Bytes{0x30, 0x82, 0x01, 0x00, 1, 2, 3}));
  EXPECT_FALSE(files.add(table({{kVcek, {1, 2, 3}}}))) << "a known entry must be what it says";
  EXPECT_FALSE(files.add(Bytes(100, 0xFF)));
  EXPECT_TRUE(files.certificates().empty());
}

TEST(SnpCertificates, HoldsSoManyOnly) {
  SnpCertificates files;
  const auto der = certificate("one");
  for (std::size_t i = 0; i < crypto::kMostCertificates; ++i) ASSERT_TRUE(files.add(der));
  EXPECT_FALSE(files.add(der));
}

} // namespace
} // namespace tcfdl::attestation
