#include "wire/topic.hpp"

#include <algorithm>

namespace tcfdl::wire {
namespace {

constexpr std::size_t kLongestContentType = 256;
constexpr std::uint64_t kMostKept = 10'000'000;
constexpr std::uint64_t kMostKeptBytes = std::uint64_t{1} << 40U;
constexpr std::uint32_t kShortestHandling = 1000; // milliseconds
constexpr std::uint32_t kLongestHandling = 12U * 3600 * 1000;
constexpr std::uint32_t kMostDeliveries = 1000;

/// Whether a text with `*` at its end covers another.
bool covers(std::string_view pattern, std::string_view text) {
  if (pattern.ends_with('*')) return text.starts_with(pattern.substr(0, pattern.size() - 1));
  return pattern == text;
}

Status refuse(std::string_view what) { return make_error(Code::kInvalidArgument, "the message: {}", what); }

Status check_capsule_of(const TopicHeader& header, const Capsule& capsule) {
  TCFDL_ASSIGN(const auto made, capsule_header_unverified(capsule));
  if (made.capsule_id() == header.capsule_id() && made.sender() == header.publisher() &&
      made.function() == header.topic() && made.assurance() == header.assurance() && made.epoch() == header.epoch()) {
    return {};
  }
  return refuse("its capsule is of another message, publisher or topic");
}

bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= 0x20 && c < 0x7F; });
}

crypto::StreamKeys keys_of(const crypto::CapsuleSecret& secret, const TopicMessage& message) {
  return crypto::derive_stream_keys(secret.key.span(), as_bytes(message.salt()).first<crypto::kSaltSize>(),
                                    kTopicDirection, as_bytes(message.header()));
}

std::array<crypto::Sha256Digest, 2> signed_digests(const TopicMessage& message) {
  return {crypto::sha256(as_bytes(message.header())),
          crypto::sha256({as_bytes(message.salt()), as_bytes(message.body())})};
}

} // namespace

bool grants_allow_topic(const Certificate& certificate, std::string_view beginning, std::string_view topic) {
  return std::ranges::any_of(certificate.grants(), [&](std::string_view grant) {
    return grant.starts_with(beginning) && covers(grant.substr(beginning.size()), topic);
  });
}

Status check_topic_policy(const TopicPolicy& policy) {
  const auto within = [](std::string_view field, std::uint64_t value, std::uint64_t least,
                         std::uint64_t most) -> Status {
    if (value >= least && value <= most) return {};
    return make_error(Code::kInvalidArgument, "topic: {} is {}; {} to {} are allowed", field, value, least, most);
  };
  TCFDL_TRY(within("retention_s", policy.retention_s(), 1, kLongestRetention));
  TCFDL_TRY(within("most_messages", policy.most_messages(), 1, kMostKept));
  TCFDL_TRY(within("most_bytes", policy.most_bytes(), std::uint64_t{1} << 20U, kMostKeptBytes));
  TCFDL_TRY(within("most_deliveries", policy.most_deliveries(), 1, kMostDeliveries));
  return within("handling_ms", policy.handling_ms(), kShortestHandling, kLongestHandling);
}

std::int64_t topic_capsule_life(const Descriptor& descriptor) {
  return descriptor.has_topic() ? kCapsuleLifetime + std::int64_t{descriptor.topic().retention_s()} : 0;
}

bool admits_trigger(const Descriptor& topic, const Descriptor& function) {
  if (!topic.has_topic() || !contains_text(function.triggers(), topic.name())) return false;
  if (topic.owner_key() == function.owner_key()) return true;
  return std::ranges::any_of(topic.topic().functions(),
                             [&](const auto& pattern) { return covers(pattern, function.name()); });
}

Result<TopicHeader> check_topic_message(const TopicMessage& unverified) {
  TCFDL_ASSIGN(auto header, parse<TopicHeader>(unverified.header()));
  TCFDL_TRY(parse_function_name(header.topic()));
  if (header.id().empty() || header.id().size() > kLongestMessageId || !is_printable(header.id())) {
    return make_error(Code::kInvalidArgument, "the message: its id has not 1 to {} printable characters",
                      kLongestMessageId);
  }
  if (header.content_type().size() > kLongestContentType || !is_printable(header.content_type())) {
    return refuse("its content type is too long or not printable").error();
  }
  const bool sealed = header.protection() == "eae";
  if (!sealed && header.protection() != "none") return refuse("its protection is neither eae nor none").error();
  const auto most = sealed ? crypto::sealed_size(kLargestTopicBody) : kLargestTopicBody;
  if (unverified.body().size() > most) {
    return make_error(Code::kInvalidArgument, "the message: a body has at most {} bytes", kLargestTopicBody);
  }
  if (sealed != unverified.has_capsule() || sealed == header.capsule_id().empty() ||
      unverified.salt().size() != (sealed ? crypto::kSaltSize : 0)) {
    return refuse("capsule and salt are not those of its protection").error();
  }
  if (sealed) TCFDL_TRY(check_capsule_of(header, unverified.capsule()));
  return header;
}

Result<std::string> seal_topic_body(const crypto::CapsuleSecret& secret, const TopicMessage& head, BytesView body) {
  crypto::SegmentSealer sealer(keys_of(secret, head));
  Bytes sealed(crypto::sealed_size(body.size()));
  std::size_t written = 0;
  for (auto left = crypto::segment_count(body.size()); left > 0; --left) {
    const auto piece = body.first(std::min(body.size(), crypto::kSegmentSize));
    TCFDL_ASSIGN(const auto size, sealer.seal(piece, left == 1, std::span(sealed).subspan(written)));
    written += size;
    body = body.subspan(piece.size());
  }
  return field(sealed);
}

Result<Bytes> open_topic_body(const crypto::CapsuleSecret& secret, const TopicMessage& message) {
  crypto::SegmentOpener opener(keys_of(secret, message));
  auto sealed = as_bytes(message.body());
  Bytes body(sealed.size());
  std::size_t written = 0;
  while (!opener.finished()) {
    const auto piece = sealed.first(std::min(sealed.size(), crypto::kSealedSegmentSize));
    sealed = sealed.subspan(piece.size());
    TCFDL_ASSIGN(const auto size, opener.open(piece, sealed.empty(), std::span(body).subspan(written)));
    written += size;
  }
  body.resize(written);
  return body;
}

void sign_topic_message(TopicMessage& message, const crypto::SigningKey& key, const Signed& certificate) {
  const auto [header, content] = signed_digests(message);
  *message.mutable_certificate() = certificate;
  message.set_signature(field(sign_labelled(key, "TopicMessage", {header, content})));
}

Status check_topic_signature(const TopicMessage& message, const TopicHeader& header, const crypto::VerifyKey& authority,
                             std::int64_t stored) {
  if (message.signature().empty()) {
    return make_error(Code::kUnauthenticated, "{} wants its publishers to sign; this message is not signed",
                      header.topic());
  }
  TCFDL_ASSIGN(const auto publisher, verify_certificate(authority, message.certificate(), {ROLE_CLIENT}, stored));
  if (publisher.subject() != header.publisher()) {
    return make_error(Code::kUnauthenticated, "the message is of {}, its signature of {}", header.publisher(),
                      publisher.subject());
  }
  TCFDL_ASSIGN(const auto key, crypto::VerifyKey::from_bytes(as_bytes(publisher.verify_key())));
  const auto [digest, content] = signed_digests(message);
  return verify_labelled(key, "TopicMessage", {digest, content}, as_bytes(message.signature()));
}

} // namespace tcfdl::wire
