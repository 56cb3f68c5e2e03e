#include "wire/revocations.hpp"

#include "base/file.hpp"
#include "base/log.hpp"

namespace tcfdl::wire {

Result<std::unique_ptr<Revocations>> Revocations::open(std::filesystem::path file, crypto::VerifyKey authority) {
  std::unique_ptr<Revocations> revocations(new Revocations(std::move(file), std::move(authority)));
  const auto bytes = read_file(revocations->file_, kLargestRevocationList + 1024);
  if (!bytes && bytes.error().code() == Code::kNotFound) return revocations;
  if (!bytes) return bytes.error();
  const auto kept = parse<Signed>(*bytes);
  if (!kept || !parse<RevocationList>(kept->statement())) {
    return make_error(Code::kDataLoss, "{} is damaged; delete it when the service manager can be reached, which has it",
                      revocations->file_.string());
  }
  if (const auto list = parse_list(revocations->authority_, *kept)) revocations->list_ = *list;
  return revocations;
}

Result<Revocations::ListPtr> Revocations::parse_list(const crypto::VerifyKey& authority, const Signed& unverified) {
  if (unverified.statement().size() > kLargestRevocationList) {
    return make_error(Code::kInvalidArgument, "a revocation list of {} bytes; {} are the most",
                      unverified.statement().size(), kLargestRevocationList);
  }
  TCFDL_ASSIGN(const auto stated, verify<RevocationList>(authority, unverified));
  auto list = std::make_shared<List>();
  list->number = stated.number();
  list->signed_list = unverified;
  list->serials.insert(stated.serials().begin(), stated.serials().end());
  list->keys.insert(stated.keys().begin(), stated.keys().end());
  for (const auto& function : stated.epochs()) {
    auto& epochs = list->epochs[function.function()];
    epochs.current = function.epoch();
    for (const auto& retired : function.retired()) epochs.retired[retired.epoch()] = retired.until();
  }
  return ListPtr(std::move(list));
}

Result<bool> Revocations::accept(const Signed& unverified) {
  TCFDL_ASSIGN(auto list, parse_list(authority_, unverified));
  const std::scoped_lock lock(mutex_);
  if (list->number < list_->number) {
    return make_error(Code::kFailedPrecondition, "revocation list {} is older than list {}, which is known here",
                      list->number, list_->number);
  }
  if (list->number == list_->number) return false;
  // In force first: a full disk must not keep a revocation from its effect.
  list_ = std::move(list);
  changed_.notify_all();
  if (file_.empty()) return true;
  const auto kept = write_file(file_, serialize(unverified), kPrivateFile);
  if (!kept) spdlog::warn("revocation list {} is in force, but not kept: {}", list_->number, kept.error().message());
  return true;
}

Revocations::ListPtr Revocations::current() const {
  const std::scoped_lock lock(mutex_);
  return list_;
}

std::uint64_t Revocations::number() const { return current()->number; }

Signed Revocations::list() const { return current()->signed_list; }

Signed Revocations::wait_for_newer(std::uint64_t known, Deadline deadline) const {
  std::unique_lock lock(mutex_);
  const bool newer =
      changed_.wait_until(lock, deadline.when(), [&] { return list_->number > known || ending_; }) && !ending_;
  return newer ? list_->signed_list : Signed();
}

void Revocations::end_waits() {
  const std::scoped_lock lock(mutex_);
  ending_ = true;
  changed_.notify_all();
}

Status Revocations::check(const Certificate& certificate) const {
  if (current()->serials.contains(certificate.serial())) {
    return make_error(Code::kUnauthenticated, "the certificate {} of {} is revoked", certificate.serial(),
                      certificate.subject());
  }
  return check_key(certificate.verify_key(), certificate.subject());
}

Status Revocations::check_key(std::string_view verify_key, std::string_view holder) const {
  const auto list = current();
  if (list->keys.empty() || !list->keys.contains(field(crypto::sha256(as_bytes(verify_key))))) return {};
  return make_error(Code::kUnauthenticated, "the key of {} is revoked; enrol it again with another", holder);
}

Status Revocations::check_epoch(const std::string& function, std::uint32_t epoch, std::int64_t now) const {
  const auto list = current();
  const auto found = list->epochs.find(function);
  if (found == list->epochs.end() || epoch >= found->second.current) return {};
  const auto retired = found->second.retired.find(epoch);
  if (retired != found->second.retired.end() && retired->second > now) return {};
  return make_error(Code::kFailedPrecondition, "epoch {} of the keys of {} is over, epoch {} is in force; ask for keys",
                    epoch, function, found->second.current);
}

Status Revocations::check_in_force(const std::string& function, std::uint32_t epoch) const {
  const auto list = current();
  const auto found = list->epochs.find(function);
  if (found == list->epochs.end() || epoch >= found->second.current) return {};
  return make_error(Code::kFailedPrecondition,
                    "epoch {} of the keys of {} was replaced by epoch {}; ask for keys of that one", epoch, function,
                    found->second.current);
}

} // namespace tcfdl::wire
