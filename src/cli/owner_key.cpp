#include "cli/owner_key.hpp"

#include "base/encoding.hpp"
#include "base/file.hpp"
#include "base/ids.hpp"
#include "http/json.hpp"
#include "sdk/context.hpp"
#include "wire/descriptor.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <unistd.h>

namespace tcfdl::cli {
namespace {

constexpr std::string_view kFormat = "tcfdl-owner-key-1";
constexpr std::size_t kLongestFile = 4096;

Result<crypto::SigningKey> parse(BytesView text, const std::string& where) {
  TCFDL_ASSIGN(auto object, http::JsonObject::parse(text, where));
  const auto format = object.text("format");
  auto private_text = object.text("private_key");
  const auto public_text = object.text("public_key");
  TCFDL_TRY(object.finish());
  if (format != kFormat) return make_error(Code::kInvalidArgument, "its format is '{}', not {}", format, kFormat);
  auto secret = from_base64url(private_text);
  ::explicit_bzero(private_text.data(), private_text.size());
  if (!secret) return secret.error();
  auto key = crypto::SigningKey::from_private_bytes(*secret);
  crypto::wipe(*secret);
  if (key && to_base64url(key->public_key().bytes()) != public_text) {
    return Error(Code::kInvalidArgument, "its public key does not belong to its private key");
  }
  return key;
}

/// As a new file, which is whole or not there: a link never replaces.
Status write_new(const std::filesystem::path& file, BytesView content) {
  const auto temporary = file.parent_path() / fmt::format(".{}.{}", file.filename().string(), make_uuid());
  TCFDL_TRY(write_file(temporary, content, kPrivateFile));
  const int linked = ::link(temporary.c_str(), file.c_str());
  const int why = errno;
  ::unlink(temporary.c_str());
  if (linked == 0) return {};
  if (why != EEXIST) {
    errno = why;
    return errno_error("cannot write the key", file);
  }
  return make_error(Code::kAlreadyExists,
                    "{} exists and is not overwritten: who loses a key loses the names it owns; choose another file",
                    file.string());
}

} // namespace

Result<crypto::SigningKey> create_owner_key(const std::filesystem::path& file) {
  auto key = crypto::SigningKey::generate();
  auto text = fmt::format("{{\n  \"format\": \"{}\",\n  \"private_key\": \"{}\",\n  \"public_key\": \"{}\"\n}}\n",
                          kFormat, to_base64url(key.private_bytes().span()), to_base64url(key.public_key().bytes()));
  const auto written = write_new(std::filesystem::absolute(file), as_bytes(text));
  ::explicit_bzero(text.data(), text.size());
  if (!written) return written.error();
  return key;
}

Result<crypto::SigningKey> read_owner_key(const std::filesystem::path& file) {
  auto text = read_private_file(file, kLongestFile);
  if (!text && text.error().code() == Code::kNotFound) {
    return make_error(Code::kNotFound, "there is no key {}; `tcfdl key create --out FILE` makes one", file.string());
  }
  if (!text) return text.error();
  auto key = parse(*text, file.string());
  crypto::wipe(*text);
  if (key) return key;
  return make_error(Code::kDataLoss, "{} is no owner's key: {}; restore it from its backup", file.string(),
                    key.error().message());
}

std::filesystem::path default_owner_key() { return sdk::context_directory() / "owner.key"; }

Result<crypto::SigningKey> choose_owner_key(const std::string& file) {
  if (!file.empty()) return read_owner_key(file);
  const auto path = default_owner_key();
  auto key = read_owner_key(path);
  if (key || key.error().code() != Code::kNotFound) return key;
  TCFDL_TRY(make_private_directory(path.parent_path()));
  key = create_owner_key(path);
  if (!key && key.error().code() == Code::kAlreadyExists) return read_owner_key(path); // another command was faster
  if (key) {
    fmt::print(stderr,
               "made the owner's key {} (fingerprint {}): it owns the names of the functions that you deploy. Keep a "
               "copy: without it nobody can deploy new versions of them\n",
               path.string(), wire::fingerprint(key->public_key().bytes()));
  }
  return key;
}

} // namespace tcfdl::cli
