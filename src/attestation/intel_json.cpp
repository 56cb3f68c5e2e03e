#include "attestation/intel_json.hpp"

#include "base/encoding.hpp"
#include "base/rfc3339.hpp"
#include "wire/strict_json.hpp"

namespace tcfdl::attestation {
namespace {

using nlohmann::json;

constexpr std::size_t kMostLevels = 256;
constexpr std::size_t kMostAdvisories = 256;
constexpr std::size_t kComponents = 16;
constexpr std::uint64_t kLargestNumber = 0xFFFFFFFF;

/// Reads members of one object. All readers of a document share the first error. Members that are not asked for do
/// not matter: Intel adds some.
class Reader {
public:
  Reader(const json& object, std::string& error) : object_(object), error_(error) {
    if (!object.is_object()) fail("(object)", "is no object");
  }

  [[nodiscard]] bool has(const char* key) const { return object_.is_object() && object_.contains(key); }

  std::string text(const char* key) {
    const auto* value = find(key);
    if (value != nullptr && value->is_string()) return value->get<std::string>();
    return fail(key, "is missing or no text"), std::string();
  }

  std::uint64_t number(const char* key, std::uint64_t most = kLargestNumber) {
    const auto* value = find(key);
    if (value != nullptr && value->is_number_unsigned() && value->get<std::uint64_t>() <= most) {
      return value->get<std::uint64_t>();
    }
    return fail(key, "is missing or out of range"), 0;
  }

  Bytes hex(const char* key, std::size_t size) {
    auto bytes = from_hex(text(key));
    if (bytes && bytes->size() == size) return *std::move(bytes);
    return fail(key, "is not hexadecimal of its size"), Bytes();
  }

  UnixSeconds time(const char* key) {
    const auto value = from_rfc3339(text(key));
    if (value) return *value;
    return fail(key, "is no time"), 0;
  }

  Reader object(const char* key) {
    const auto* value = find(key);
    if (value == nullptr) fail(key, "is missing");
    return {value != nullptr ? *value : object_, error_};
  }

  /// An object for each item of a list of at most `most`.
  std::vector<Reader> list(const char* key, std::size_t most) {
    std::vector<Reader> items;
    const auto* value = find(key);
    if (value == nullptr || !value->is_array() || value->size() > most) {
      fail(key, "is missing, no list or too long");
      return items;
    }
    for (const auto& item : *value) items.emplace_back(item, error_);
    return items;
  }

  std::vector<std::string> texts_or_none(const char* key, std::size_t most) {
    std::vector<std::string> texts;
    if (!has(key)) return texts;
    const auto* value = find(key);
    if (!value->is_array() || value->size() > most) fail(key, "is no list or too long");
    for (const auto& item : *value) {
      if (item.is_string()) texts.push_back(item.get<std::string>());
      if (!item.is_string()) fail(key, "has an item that is no text");
    }
    return texts;
  }

  void fail(std::string_view key, std::string_view why) {
    if (error_.empty()) error_ = fmt::format("'{}' {}", key, why);
  }

private:
  const json* find(const char* key) const { return has(key) ? &object_.at(key) : nullptr; }

  const json& object_;
  std::string& error_;
};

TcbVerdict read_verdict(Reader& level) {
  TcbVerdict verdict;
  const auto status = parse_tcb_status(level.text("tcbStatus"));
  if (status) verdict.status = *status;
  if (!status) level.fail("tcbStatus", "is no status that is known");
  verdict.date = level.time("tcbDate");
  verdict.advisories = level.texts_or_none("advisoryIDs", kMostAdvisories);
  return verdict;
}

Components read_components(Reader& tcb, const char* key) {
  Components components{};
  auto items = tcb.list(key, kComponents);
  if (items.size() != kComponents) {
    tcb.fail(key, "has not 16 components");
    return components;
  }
  for (std::size_t at = 0; at < kComponents; ++at) {
    components[at] = static_cast<std::uint8_t>(items[at].number("svn", 0xFF));
  }
  return components;
}

/// Version 2 has a member for each component.
Components read_flat_components(Reader& tcb) {
  Components components{};
  for (std::size_t at = 0; at < kComponents; ++at) {
    const auto key = fmt::format("sgxtcbcomp{:02}svn", at + 1);
    components[at] = static_cast<std::uint8_t>(tcb.number(key.c_str(), 0xFF));
  }
  return components;
}

std::vector<PlatformLevel> read_platform_levels(Reader& info, std::uint64_t version, bool tdx) {
  std::vector<PlatformLevel> levels;
  for (auto& item : info.list("tcbLevels", kMostLevels)) {
    auto tcb = item.object("tcb");
    PlatformLevel level;
    level.sgx = version == 2 ? read_flat_components(tcb) : read_components(tcb, "sgxtcbcomponents");
    if (tdx) level.tdx = read_components(tcb, "tdxtcbcomponents");
    level.pcesvn = static_cast<std::uint16_t>(tcb.number("pcesvn", 0xFFFF));
    level.verdict = read_verdict(item);
    levels.push_back(std::move(level));
  }
  return levels;
}

std::vector<SvnLevel> read_svn_levels(Reader& identity) {
  std::vector<SvnLevel> levels;
  for (auto& item : identity.list("tcbLevels", kMostLevels)) {
    SvnLevel level;
    level.isv_svn = static_cast<std::uint16_t>(item.object("tcb").number("isvsvn", 0xFFFF));
    level.verdict = read_verdict(item);
    levels.push_back(std::move(level));
  }
  return levels;
}

ModuleIdentity read_module(Reader module) {
  constexpr std::size_t kDigest = 48;
  return {.id = {},
          .mr_signer = module.hex("mrsigner", kDigest),
          .attributes = module.hex("attributes", 8),
          .attributes_mask = module.hex("attributesMask", 8),
          .levels = {}};
}

void read_modules(Reader& root, TcbInfo& info) {
  constexpr std::size_t kMostModules = 256;
  if (root.has("tdxModule")) info.module = read_module(root.object("tdxModule"));
  if (!root.has("tdxModuleIdentities")) return;
  for (auto& item : root.list("tdxModuleIdentities", kMostModules)) {
    auto module = read_module(item);
    module.id = item.text("id");
    module.levels = read_svn_levels(item);
    info.modules.push_back(std::move(module));
  }
}

/// Parses `body` and has `read` make a T of its root.
template <class T, class Read> Result<T> read_document(BytesView body, std::string_view what, Read read) {
  auto document = wire::parse_json_object(body, {.size = kLargestJson, .depth = 8});
  if (!document) return document.error().within(what);
  std::string error;
  Reader root(*document, error);
  auto value = read(root);
  if (!error.empty()) return make_error(Code::kInvalidArgument, "{}: {}", what, error);
  return value;
}

TcbInfo read_tcb_info(Reader& root) {
  TcbInfo info;
  const auto version = root.number("version");
  if (version != 2 && version != 3) root.fail("version", "is neither 2 nor 3");
  info.id = version == 2 && !root.has("id") ? "SGX" : root.text("id");
  const bool tdx = info.id == "TDX";
  if (!tdx && info.id != "SGX") root.fail("id", "is neither SGX nor TDX");
  if (tdx && version == 2) root.fail("version", "is 2, which TDX has none of");
  if (root.number("tcbType") != 0) root.fail("tcbType", "is not 0");
  info.issued = root.time("issueDate");
  info.next_update = root.time("nextUpdate");
  info.fmspc = root.hex("fmspc", 6);
  info.pceid = root.hex("pceId", 2);
  info.evaluation_number = root.number("tcbEvaluationDataNumber");
  if (tdx) read_modules(root, info);
  info.levels = read_platform_levels(root, version, tdx);
  return info;
}

QeIdentity read_qe_identity(Reader& root) {
  QeIdentity identity;
  if (root.number("version") != 2) root.fail("version", "is not 2");
  identity.id = root.text("id");
  identity.issued = root.time("issueDate");
  identity.next_update = root.time("nextUpdate");
  identity.evaluation_number = root.number("tcbEvaluationDataNumber");
  identity.miscselect = root.hex("miscselect", 4);
  identity.miscselect_mask = root.hex("miscselectMask", 4);
  identity.attributes = root.hex("attributes", 16);
  identity.attributes_mask = root.hex("attributesMask", 16);
  identity.mr_signer = root.hex("mrsigner", 32);
  identity.isv_prod_id = static_cast<std::uint16_t>(root.number("isvprodid", 0xFFFF));
  identity.levels = read_svn_levels(root);
  return identity;
}

} // namespace

Result<TcbInfo> parse_tcb_info(BytesView body) { return read_document<TcbInfo>(body, "tcb_info", read_tcb_info); }

Result<QeIdentity> parse_qe_identity(BytesView body) {
  return read_document<QeIdentity>(body, "qe_identity", read_qe_identity);
}

} // namespace tcfdl::attestation
