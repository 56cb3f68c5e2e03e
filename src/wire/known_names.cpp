#include "wire/known_names.hpp"

#include "base/encoding.hpp"
#include "base/file.hpp"
#include "base/log.hpp"

#include <charconv>
#include <sstream>

namespace tcfdl::wire {
namespace {

constexpr std::size_t kMostNames = 100'000;
constexpr std::size_t kLongestFile = std::size_t{64} << 20U;

Result<crypto::Sha256Digest> digest_of(const std::string& text) {
  TCFDL_ASSIGN(const auto bytes, from_hex(text));
  crypto::Sha256Digest digest{};
  if (bytes.size() != digest.size()) return Error(Code::kDataLoss, "a hash of a wrong size");
  std::ranges::copy(bytes, digest.begin());
  return digest;
}

/// `name version owner statement`
Result<std::pair<std::string, HeldName>> parse_line(const std::string& line) {
  std::istringstream words(line);
  std::string name;
  std::string version;
  std::string owner;
  std::string statement;
  std::string more;
  words >> name >> version >> owner >> statement;
  HeldName held;
  const auto parsed = std::from_chars(version.data(), version.data() + version.size(), held.version);
  if (!words || words >> more || parsed.ec != std::errc() || parsed.ptr != version.data() + version.size()) {
    return Error(Code::kDataLoss, "a line that is no name, version, owner and hash");
  }
  TCFDL_TRY(parse_function_name(name));
  TCFDL_ASSIGN(held.owner, digest_of(owner));
  TCFDL_ASSIGN(held.statement, digest_of(statement));
  return std::pair(std::move(name), held);
}

/// Of two that are known of one name, the higher version.
void merge(std::map<std::string, HeldName, std::less<>>& names, std::string name, const HeldName& held) {
  const auto [at, is_new] = names.try_emplace(std::move(name), held);
  if (!is_new && held.version > at->second.version) at->second = held;
}

} // namespace

Result<std::unique_ptr<KnownNames>> KnownNames::open(std::filesystem::path file, BytesView authority_key) {
  auto heading = "tcfdl-known-names-1 " + to_hex(crypto::sha256(authority_key));
  Names names;
  if (const auto done = read(file, heading, names); !done) {
    return make_error(Code::kDataLoss, "{} is damaged: {}; delete it to forget which versions of functions were seen",
                      file.string(), done.error().message());
  }
  std::unique_ptr<KnownNames> known(new KnownNames(std::move(file), std::move(heading)));
  known->names_.with([&](Names& kept) { kept = std::move(names); });
  return known;
}

Status KnownNames::read(const std::filesystem::path& file, const std::string& heading, Names& names) {
  const auto text = read_text_file(file, kLongestFile);
  if (!text && text.error().code() == Code::kNotFound) return {};
  if (!text) return text.error();
  std::istringstream lines(*text);
  std::string line;
  if (!std::getline(lines, line) || line != heading) return {};
  while (std::getline(lines, line)) {
    TCFDL_ASSIGN(auto entry, parse_line(line));
    merge(names, std::move(entry.first), entry.second);
    if (names.size() > kMostNames) return Error(Code::kDataLoss, "more names than there may be");
  }
  return {};
}

Status KnownNames::check(const Descriptor& descriptor, const Signed& signed_descriptor) const {
  return names_.with([&](const Names& names) -> Status {
    const auto found = names.find(descriptor.name());
    if (found == names.end()) return {};
    const auto offered = held_name(descriptor, as_bytes(signed_descriptor.statement()));
    return check_succession(descriptor.name(), found->second, offered);
  });
}

Status KnownNames::accept(const KeyScope& stated, const Descriptor& descriptor, const Signed& signed_descriptor) {
  TCFDL_TRY(check_owner(stated, descriptor));
  if (descriptor.version() > stated.version()) return check(descriptor, signed_descriptor);
  return remember(descriptor, signed_descriptor);
}

Status KnownNames::remember(const Descriptor& descriptor, const Signed& signed_descriptor) {
  const auto offered = held_name(descriptor, as_bytes(signed_descriptor.statement()));
  return names_.with([&](Names& names) -> Status {
    const auto found = names.find(descriptor.name());
    if (found != names.end()) {
      TCFDL_TRY(check_succession(descriptor.name(), found->second, offered));
      if (found->second == offered) return {};
    } else if (names.size() >= kMostNames) {
      return make_error(Code::kResourceExhausted, "{} names of functions are known, as many as may be", names.size());
    }
    names.insert_or_assign(descriptor.name(), offered);
    if (!file_.empty()) save(names);
    return {};
  });
}

/// With what other processes have written to the file since.
void KnownNames::save(Names& names) const {
  auto done = read(file_, heading_, names);
  if (done) {
    std::string text = heading_ + "\n";
    for (const auto& [name, held] : names) {
      text += fmt::format("{} {} {} {}\n", name, held.version, to_hex(held.owner), to_hex(held.statement));
    }
    done = write_file(file_, as_bytes(text), kPrivateFile);
  }
  if (!done) spdlog::warn("cannot keep which versions of functions were seen: {}", done.error().to_string());
}

} // namespace tcfdl::wire
