// The text form of enrolment tokens: `tcfdl1.SECRET.HASH[.WHERE]` in one line. HASH is the base64url SHA-256 of the
// authority's key, so that who enrols knows whom to believe; WHERE is base64url text for nodes: what they connect to.
#pragma once

#include "base/encoding.hpp"
#include "crypto/hash.hpp"

namespace tcfdl::wire {

struct EnrolmentToken {
  std::string secret;       ///< used once; has no '.'
  Bytes authority_key_hash; ///< 32 bytes
  Bytes where;              ///< node::NodeEntrance as JSON; empty for clients

  [[nodiscard]] std::string text() const {
    auto text = "tcfdl1." + secret + "." + to_base64url(authority_key_hash);
    if (!where.empty()) text += "." + to_base64url(where);
    return text;
  }

  /// UNAUTHENTICATED unless the key is the one that the token's maker meant.
  [[nodiscard]] Status check_authority(BytesView authority_key) const {
    if (crypto::equal_constant_time(crypto::sha256(authority_key), authority_key_hash)) return {};
    return Error(Code::kUnauthenticated,
                 "another authority than the token's answered; get a new token from your cluster");
  }
};

/// Reads a token; white space around it is ignored. INVALID_ARGUMENT, without repeating the text, which is a secret.
inline Result<EnrolmentToken> parse_enrolment_token(std::string_view text) {
  constexpr std::string_view kPrefix = "tcfdl1.";
  constexpr std::string_view kSpace = " \t\r\n";
  constexpr std::size_t kLongest = 8192;
  const Error bad(Code::kInvalidArgument, "this is no enrolment token; it has the form tcfdl1.SECRET.HASH");
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos || text.size() > kLongest) return bad;
  text = text.substr(first, text.find_last_not_of(kSpace) + 1 - first);
  if (!text.starts_with(kPrefix) || text.find_first_of(kSpace) != std::string_view::npos) return bad;
  text.remove_prefix(kPrefix.size());
  const auto dot = text.find('.');
  if (dot == 0 || dot == std::string_view::npos) return bad;
  const auto second = std::min(text.find('.', dot + 1), text.size());
  auto hash = from_base64url(text.substr(dot + 1, second - dot - 1));
  if (!hash || hash->size() != crypto::kSha256Size) return bad;
  auto where = from_base64url(second == text.size() ? std::string_view() : text.substr(second + 1));
  if (!where) return bad;
  return EnrolmentToken{std::string(text.substr(0, dot)), *std::move(hash), *std::move(where)};
}

} // namespace tcfdl::wire
