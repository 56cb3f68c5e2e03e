#include "node/fetch.hpp"

#include "base/file.hpp"

#include <fcntl.h>

namespace tcfdl::node {
namespace {

class FileWriter final : public BodyWriter {
public:
  explicit FileWriter(const std::filesystem::path& path)
      : fd_(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kPublicFile)) {}
  [[nodiscard]] bool valid() const { return fd_.valid(); }
  Status write(BytesView piece) override { return write_all(fd_.get(), piece); }
  Status sync() { return ::fsync(fd_.get()) == 0 ? Status() : errno_error("cannot sync", "a fetched file"); }

private:
  UniqueFd fd_;
};

} // namespace

Result<sdk::Identity> caller_identity(const std::string& node, const NodeIdentity& identity) {
  TCFDL_ASSIGN(auto signing, crypto::SigningKey::from_private_bytes(identity.signing.private_bytes().span()));
  return sdk::Identity{node, std::move(signing), crypto::HpkePrivateKey::generate(), identity.certificate,
                       identity.authority};
}

FetchFile fetch_from(sdk::TaskManagerClient& master) {
  return [&master](const std::string& digest, const std::filesystem::path& to, Deadline deadline) -> Status {
    FileWriter writer(to);
    if (!writer.valid()) return errno_error("cannot create", to);
    TCFDL_TRY(master.fetch_file(digest, writer, deadline));
    return writer.sync();
  };
}

} // namespace tcfdl::node
