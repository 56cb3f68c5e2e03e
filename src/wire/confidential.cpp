#include "wire/confidential.hpp"

#include "base/encoding.hpp"
#include "base/file.hpp"
#include "crypto/random.hpp"
#include "wire/signed.hpp"

#include <cerrno>
#include <fcntl.h>
#include <limits>

namespace tcfdl::wire {
namespace {

constexpr std::array<std::uint8_t, 8> kMagic{'t', 'c', 'f', 'd', 'l', 'c', 'f', '1'};
constexpr std::string_view kDirection = "file";
constexpr std::string_view kDigestLabel = "tcfdl/1/file-digest";

using SaltView = std::span<const std::uint8_t, crypto::kSaltSize>;

crypto::StreamKeys keys_of(const ContentKey& key, SaltView salt, const ContentPlace& place) {
  Bytes header = to_bytes(place.function);
  header.push_back(0); // in no function's name
  header.insert(header.end(), place.path.begin(), place.path.end());
  return crypto::derive_stream_keys(key.span(), salt, kDirection, header);
}

/// SHA-256 that begins with a secret, so that nobody without the key can try out what a file might hold.
crypto::Sha256 salted_digest(const ContentKey& key, SaltView salt) {
  crypto::Sha256 hash;
  hash.update(crypto::hkdf_sha256(key.span(), salt, as_bytes(kDigestLabel), crypto::kSha256Size).span());
  return hash;
}

/// Reads until `out` is full or the file ends; how much there was.
Result<std::size_t> read_piece(int fd, std::span<std::uint8_t> out) {
  std::size_t filled = 0;
  while (filled < out.size()) {
    const auto got = ::read(fd, out.data() + filled, out.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error("cannot read", "the file");
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  return filled;
}

/// Writes what it is given to a descriptor and knows hash and size of all of it.
class HashedOutput {
public:
  HashedOutput(int fd, crypto::Sha256 hash) : fd_(fd), hash_(std::move(hash)) {}
  Status write(BytesView bytes) {
    hash_.update(bytes);
    size_ += bytes.size();
    return write_all(fd_, bytes);
  }
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  std::string digest() { return to_hex(hash_.finish()); }

private:
  int fd_;
  crypto::Sha256 hash_;
  std::uint64_t size_ = 0;
};

/// Encrypts all that `from` gives; hash and size of the plaintext.
Result<Plaintext> encrypt_stream(const ContentKey& key, const ContentPlace& place, int from, HashedOutput& out) {
  const auto salt = crypto::random_array<crypto::kSaltSize>();
  TCFDL_TRY(out.write(kMagic));
  TCFDL_TRY(out.write(salt));
  crypto::SegmentSealer sealer(keys_of(key, salt, place));
  auto hash = salted_digest(key, salt);
  Plaintext plaintext;
  // One segment ahead, since the last one is sealed as such.
  crypto::SecretBytes present(crypto::kSegmentSize);
  crypto::SecretBytes next(crypto::kSegmentSize);
  Bytes sealed(crypto::kSealedSegmentSize);
  TCFDL_ASSIGN(auto size, read_piece(from, present.span()));
  for (;;) {
    TCFDL_ASSIGN(const auto following, size == crypto::kSegmentSize ? read_piece(from, next.span()) : std::size_t{0});
    const auto segment = std::as_const(present).span().first(size);
    hash.update(segment);
    plaintext.size += size;
    TCFDL_ASSIGN(const auto written, sealer.seal(segment, following == 0, sealed));
    TCFDL_TRY(out.write(BytesView(sealed).first(written)));
    if (following == 0) break;
    std::swap(present, next);
    size = following;
  }
  plaintext.digest = to_hex(hash.finish());
  return plaintext;
}

Error not_the_file(std::string_view why) {
  return make_error(Code::kUnauthenticated, "the encrypted file is not the one that its owner sealed: {}", why);
}

/// Content keys are handed on as long as their function is: packages on the way to the authority do not expire.
constexpr auto kNever = std::numeric_limits<std::int64_t>::max();

Status check_content_scope(const KeyScope& scope, const Descriptor& descriptor) {
  const bool fits = scope.role() == KEY_ROLE_CONTENT && scope.function() == descriptor.name() &&
                    scope.version() == descriptor.version() && scope.measurement() == descriptor.measurement() &&
                    scope.owner() == field(crypto::sha256(as_bytes(descriptor.owner_key())));
  if (fits) return {};
  return make_error(Code::kPermissionDenied,
                    "the content key is for version {} of {} with the measurement {}, not for version {} of {} with {}",
                    scope.version(), scope.function(), to_hex(as_bytes(scope.measurement())), descriptor.version(),
                    descriptor.name(), to_hex(as_bytes(descriptor.measurement())));
}

} // namespace

Result<ManifestFile> encrypt_file(const ContentKey& key, const ContentPlace& place, const std::filesystem::path& source,
                                  const std::filesystem::path& target) {
  const UniqueFd from(::open(source.c_str(), O_RDONLY | O_CLOEXEC));
  if (!from.valid()) return errno_error("cannot open", source);
  const UniqueFd to(::open(target.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kPrivateFile));
  if (!to.valid()) return errno_error("cannot write", target);
  HashedOutput out(to.get(), crypto::Sha256());
  auto plaintext = encrypt_stream(key, place, from.get(), out);
  if (!plaintext) return plaintext.error().within("encrypting " + source.string());
  const auto size = out.size();
  return ManifestFile{.path = place.path,
                      .sha256 = out.digest(),
                      .size = size,
                      .executable = false,
                      .confidential = *std::move(plaintext)};
}

Status decrypt_file(const ContentKey& key, const ContentPlace& place, const Plaintext& wanted, int from, int to) {
  std::array<std::uint8_t, kConfidentialHead> head{};
  TCFDL_ASSIGN(const auto head_size, read_piece(from, head));
  if (head_size != head.size() || !std::ranges::equal(std::span(head).first(kMagic.size()), kMagic)) {
    return not_the_file("it does not begin as one");
  }
  const SaltView salt(head.data() + kMagic.size(), crypto::kSaltSize);
  crypto::SegmentOpener opener(keys_of(key, salt, place));
  HashedOutput out(to, salted_digest(key, salt));
  crypto::SecretBytes segment(crypto::kSealedSegmentSize);
  while (!opener.finished()) {
    const bool last = wanted.size - out.size() <= crypto::kSegmentSize;
    const auto size = (last ? wanted.size - out.size() : crypto::kSegmentSize) + crypto::kAeadTagSize;
    TCFDL_ASSIGN(const auto got, read_piece(from, segment.span().first(size)));
    if (got != size) return not_the_file("it is cut short");
    const auto opened = opener.open(std::as_const(segment).span().first(size), last, segment.span());
    if (!opened) return not_the_file(opened.error().message());
    TCFDL_TRY(out.write(std::as_const(segment).span().first(*opened)));
  }
  TCFDL_ASSIGN(const auto more, read_piece(from, segment.span().first(1)));
  if (more != 0) return not_the_file("something follows it");
  if (out.digest() == wanted.digest) return {};
  return Error(Code::kDataLoss, "the opened file is not the one of the manifest: its digest is another");
}

Result<KeyPackage> seal_content_key(const crypto::SigningKey& owner, const Descriptor& descriptor,
                                    BytesView authority_seal_key, const ContentKey& key) {
  KeyScope scope;
  scope.set_recipient_key(field(authority_seal_key));
  scope.set_function(descriptor.name());
  scope.set_role(KEY_ROLE_CONTENT);
  scope.set_expires(kNever);
  scope.set_owner(field(crypto::sha256(as_bytes(descriptor.owner_key()))));
  scope.set_version(descriptor.version());
  scope.set_measurement(descriptor.measurement());
  const auto info = scope.SerializeAsString();
  TCFDL_ASSIGN(auto sealed, crypto::hpke_seal(authority_seal_key, as_bytes(info), {}, key.span()));
  return sign_key_package(owner, scope, std::move(sealed));
}

Status check_content_key(const KeyPackage& unverified, const Descriptor& descriptor) {
  TCFDL_ASSIGN(const auto owner, crypto::VerifyKey::from_bytes(as_bytes(descriptor.owner_key())));
  const auto scope = verify_key_package(owner, unverified, 0);
  if (!scope) return scope.error().within("the content key of " + descriptor.name());
  return check_content_scope(*scope, descriptor);
}

Status check_content_key(const std::optional<KeyPackage>& unverified, const Manifest& manifest,
                         const Descriptor& descriptor) {
  const auto paths = confidential_paths(manifest);
  if (paths.empty() && !unverified) return {};
  if (paths.empty()) return make_error(Code::kInvalidArgument, "{} has no confidential files", descriptor.name());
  if (unverified) return check_content_key(*unverified, descriptor);
  return make_error(
      Code::kInvalidArgument,
      "{} has confidential files ({}), and their content key is missing; deploy what `tcfdl function sign` "
      "wrote, or the function file",
      descriptor.name(), fmt::join(paths, ", "));
}

Result<crypto::SecretBytes> open_content_key(const crypto::HpkePrivateKey& authority, const KeyPackage& unverified,
                                             const Descriptor& descriptor) {
  TCFDL_TRY(check_content_key(unverified, descriptor));
  auto key = crypto::hpke_open(authority, as_bytes(unverified.scope()), {}, as_bytes(unverified.sealed()));
  if (!key) return key.error().within("the content key of " + descriptor.name());
  if (key->size() == crypto::kAeadKeySize) return key;
  return make_error(Code::kInvalidArgument, "the content key of {} has {} bytes instead of {}", descriptor.name(),
                    key->size(), crypto::kAeadKeySize);
}

} // namespace tcfdl::wire
