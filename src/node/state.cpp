#include "node/state.hpp"

#include "base/encoding.hpp"
#include "base/file.hpp"
#include "crypto/random.hpp"
#include "message_queue/server.hpp"

#include <charconv>
#include <fcntl.h>
#include <sys/file.h>

namespace tcfdl::node {
namespace {

Result<UniqueFd> lock(const std::filesystem::path& directory) {
  const auto path = directory / "lock";
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kPrivateFile));
  if (!fd.valid()) return errno_error("cannot open", path);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    auto pid = read_text_file(path).value_or("");
    return make_error(Code::kFailedPrecondition, "the state directory {} is in use by process {}", directory.string(),
                      pid.empty() ? "(unknown)" : pid);
  }
  const auto pid = std::to_string(::getpid());
  if (::ftruncate(fd.get(), 0) != 0) return errno_error("cannot write", path);
  TCFDL_TRY(write_all(fd.get(), as_bytes(pid)));
  return fd;
}

} // namespace

Result<NodeState> NodeState::open(const std::filesystem::path& directory) {
  TCFDL_TRY(make_private_directory(directory));
  TCFDL_ASSIGN(auto locked, lock(directory));
  NodeState state(directory, std::move(locked));
  const auto path = directory / "node.json";
  const auto text = read_text_file(path);
  if (!text) {
    if (text.error().code() == Code::kNotFound) return state;
    return text.error();
  }
  state.values_ = nlohmann::json::parse(*text, nullptr, false);
  if (!state.values_.is_object())
    return make_error(Code::kDataLoss, "{} is damaged; restore it or enrol anew", path.string());
  return state;
}

Result<std::string> NodeState::keep(const std::string& key, const std::function<Result<std::string>()>& make) {
  if (auto known = get(key); !known.empty()) return known;
  TCFDL_ASSIGN(auto made, make());
  TCFDL_TRY(set(key, made));
  return made;
}

std::string NodeState::get(const std::string& key) const {
  const auto found = values_.find(key);
  return found != values_.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Status NodeState::set(const std::string& key, const std::string& value) {
  values_[key] = value;
  return write_file(directory_ / "node.json", as_bytes(values_.dump(2)), kPrivateFile);
}

Result<std::uint16_t> NodeState::port(const std::string& key, std::uint16_t asked) {
  if (asked != 0) return asked;
  TCFDL_ASSIGN(const auto text, keep(key, [this]() -> Result<std::string> {
                 TCFDL_ASSIGN(auto picked, ReservedPort::pick());
                 ports_.push_back(std::move(picked));
                 return std::to_string(ports_.back().number());
               }));
  std::uint16_t port = 0;
  std::from_chars(text.data(), text.data() + text.size(), port);
  if (port == 0) return make_error(Code::kDataLoss, "the state's '{}' is no port", key);
  // Who took it while this daemon was away listens there: that is told when this one wants to.
  if (auto taken = ReservedPort::take(port)) ports_.push_back(*std::move(taken));
  return port;
}

Result<std::string> NodeState::secret(const std::string& key) {
  return keep(key, []() -> Result<std::string> { return to_base64url(crypto::random_array<32>()); });
}

Result<message_queue::Nkey> NodeState::nats_key(const std::string& key, message_queue::NkeyKind kind) {
  TCFDL_ASSIGN(const auto seed, keep(key, [kind]() -> Result<std::string> {
                 return std::string(as_text(message_queue::Nkey::generate(kind).seed_text().span()));
               }));
  return message_queue::Nkey::parse_seed(seed, kind);
}

Result<crypto::SigningKey> NodeState::key(const std::string& name) {
  TCFDL_ASSIGN(const auto text, keep(name, []() -> Result<std::string> {
                 return to_base64url(crypto::SigningKey::generate().private_bytes().span());
               }));
  TCFDL_ASSIGN(const auto bytes, from_base64url(text));
  return crypto::SigningKey::from_private_bytes(bytes);
}

} // namespace tcfdl::node
