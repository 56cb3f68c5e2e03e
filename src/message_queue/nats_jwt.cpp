#include "message_queue/nats_jwt.hpp"

#include "base/encoding.hpp"
#include "crypto/sha512_256.hpp"
#include "message_queue/names.hpp"

#include <algorithm>

namespace tcfdl::message_queue {
namespace {

constexpr std::string_view kHeader = R"({"typ":"JWT","alg":"ed25519-nkey"})";
constexpr std::size_t kLongestName = 128;
constexpr UnixSeconds kOperatorIssued = 1; // any time would do, as long as it is the same
constexpr std::size_t kLongestJwt = std::size_t{64} * 1024;

/// Removing peers, purging accounts and moving streams would otherwise be open to every user who may use JetStream
/// (CVE-2025-30215), and `$SYS` to users of the system account.
constexpr std::array<std::string_view, 5> kForbidden{"$JS.API.ACCOUNT.PURGE.>", "$JS.API.ACCOUNT.STREAM.>",
                                                     "$JS.API.SERVER.>", "$JS.API.META.>", "$SYS.>"};

/// What all claims begin with. The members of the JSON stand in the order of the reference implementation, since the
/// id is a hash of them.
struct Common {
  std::string issuer;
  std::string subject;
  std::string name;
  UnixSeconds issued = 0;
  UnixSeconds expires = 0;

  [[nodiscard]] std::string json(std::string_view id) const {
    std::string text;
    if (expires != 0) text += fmt::format(R"("exp":{},)", expires);
    if (!id.empty()) text += fmt::format(R"("jti":"{}",)", id);
    return text + fmt::format(R"("iat":{},"iss":"{}","name":"{}","sub":"{}")", issued, issuer, name, subject);
  }
};

Status check_name(std::string_view name) {
  const bool good = std::ranges::all_of(name, [](char c) { return c >= ' ' && c < '\x7f' && c != '"' && c != '\\'; });
  if (good && !name.empty() && name.size() <= kLongestName) return {};
  return make_error(Code::kInvalidArgument, "a NATS name has 1 to {} visible characters without quotes", kLongestName);
}

Status check_signer(const Nkey& signer, NkeyKind kind) {
  if (signer.kind() == kind) return {};
  return Error(Code::kInvalidArgument, "these NATS claims are signed by a key of another kind");
}

std::string quoted_list(const std::vector<std::string>& texts) {
  std::string list;
  for (const auto& text : texts) list += fmt::format("{}\"{}\"", list.empty() ? "" : ",", text);
  return "[" + list + "]";
}

Status check_subjects(const std::vector<std::string>& subjects) {
  for (const auto& subject : subjects) {
    TCFDL_TRY(check_filter(subject));
    if (subject.find_first_of("\"\\") != std::string::npos) {
      return make_error(Code::kInvalidArgument, "subject `{}`: quotes cannot be granted", subject);
    }
  }
  return {};
}

/// The server takes a missing list for everything; so nothing is said by denying everything.
std::string permission(const std::vector<std::string>& allow, const std::vector<std::string>& deny) {
  if (allow.empty()) return R"({"deny":[">"]})";
  const auto denied = deny.empty() ? std::string() : fmt::format(R"(,"deny":{})", quoted_list(deny));
  return fmt::format(R"({{"allow":{}{}}})", quoted_list(allow), denied);
}

std::string sign(const Nkey& signer, const Common& common, const std::string& nats) {
  const auto id = to_base32(crypto::sha512_256(as_bytes("{" + common.json({}) + "}")));
  const auto claims = fmt::format(R"({{{},"nats":{}}})", common.json(id), nats);
  const auto text = to_base64url(as_bytes(kHeader)) + "." + to_base64url(as_bytes(claims));
  return text + "." + to_base64url(signer.sign(as_bytes(text)));
}

} // namespace

Result<std::string> sign_operator(const Nkey& signer, const OperatorClaims& claims) {
  TCFDL_TRY(check_signer(signer, NkeyKind::kOperator));
  TCFDL_TRY(check_name(claims.name));
  TCFDL_TRY(parse_public_nkey(claims.system_account, NkeyKind::kAccount));
  const auto nats = fmt::format(R"({{"system_account":"{}","type":"operator","version":2}})", claims.system_account);
  return sign(signer, {signer.public_text(), signer.public_text(), claims.name, kOperatorIssued, 0}, nats);
}

Result<std::string> sign_account(const Nkey& signer, const AccountClaims& claims, UnixSeconds now) {
  TCFDL_TRY(check_signer(signer, NkeyKind::kOperator));
  TCFDL_TRY(check_name(claims.name));
  TCFDL_TRY(parse_public_nkey(claims.account, NkeyKind::kAccount));
  for (const auto& key : claims.signing_keys) TCFDL_TRY(parse_public_nkey(key, NkeyKind::kAccount));
  std::string revoked;
  for (const auto& [user, until] : claims.revoked) {
    TCFDL_TRY(parse_public_nkey(user, NkeyKind::kUser));
    revoked += fmt::format(R"({}"{}":{})", revoked.empty() ? "" : ",", user, until);
  }
  // -1: no limit. Nothing is imported from or exported to other accounts.
  const auto jetstream =
      claims.disk_storage > 0
          ? fmt::format(R"(,"mem_storage":{0},"disk_storage":{0},"streams":-1,"consumer":-1)", claims.disk_storage)
          : std::string();
  const auto nats = fmt::format(R"({{"limits":{{"subs":-1,"data":-1,"payload":-1,"disallow_bearer":true,"conn":-1{}}},)"
                                R"("signing_keys":{},"revocations":{{{}}},"type":"account","version":2}})",
                                jetstream, quoted_list(claims.signing_keys), revoked);
  return sign(signer, {signer.public_text(), claims.account, claims.name, now, claims.expires}, nats);
}

Result<std::string> sign_user(const Nkey& signer, const UserClaims& claims, UnixSeconds now) {
  TCFDL_TRY(check_signer(signer, NkeyKind::kAccount));
  TCFDL_TRY(check_name(claims.name));
  TCFDL_TRY(parse_public_nkey(claims.user, NkeyKind::kUser));
  TCFDL_TRY(parse_public_nkey(claims.account, NkeyKind::kAccount));
  const auto& permissions = claims.permissions;
  for (const auto* list :
       {&permissions.publish, &permissions.subscribe, &permissions.deny_publish, &permissions.deny_subscribe}) {
    TCFDL_TRY(check_subjects(*list));
  }
  auto deny_publish = permissions.deny_publish;
  deny_publish.insert(deny_publish.end(), kForbidden.begin(), kForbidden.end());
  auto deny_subscribe = permissions.deny_subscribe;
  deny_subscribe.emplace_back("$SYS.>");
  constexpr std::int64_t kAnswerWithin = 24LL * 3600 * 1'000'000'000; // nanoseconds
  const auto answers =
      permissions.answers ? fmt::format(R"("resp":{{"max":1,"ttl":{}}},)", kAnswerWithin) : std::string();
  const auto issuer_account =
      signer.public_text() == claims.account ? std::string() : fmt::format(R"("issuer_account":"{}",)", claims.account);
  const auto nats =
      fmt::format(R"({{"pub":{},"sub":{},{}"subs":-1,"data":-1,"payload":-1,{}"type":"user","version":2}})",
                  permission(permissions.publish, deny_publish), permission(permissions.subscribe, deny_subscribe),
                  answers, issuer_account);
  return sign(signer, {signer.public_text(), claims.user, claims.name, now, claims.expires}, nats);
}

Status check_jwt_form(std::string_view text) {
  const bool characters = std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-' ||
           c == '.';
  });
  const bool parts = std::ranges::count(text, '.') == 2 && !text.starts_with('.') && !text.ends_with('.') &&
                     text.find("..") == std::string_view::npos;
  if (characters && parts && text.size() <= kLongestJwt) return {};
  return Error(Code::kInvalidArgument, "this is no JWT: three parts of base64url, joined by dots");
}

} // namespace tcfdl::message_queue
