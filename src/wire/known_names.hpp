// The names of functions that this process has seen, whose they are and how far their versions went.
#pragma once

#include "base/guarded.hpp"
#include "wire/descriptor.hpp"

#include <filesystem>
#include <map>
#include <memory>

namespace tcfdl::wire {

/// Refuses owners that change and versions that go back. What is remembered are descriptors of which the authority
/// stated the owner (`check_owner`), so that nobody else's word binds a name. Thread-safe.
class KnownNames {
public:
  /// In memory alone.
  KnownNames() = default;

  /// Kept in a file (mode 0600, docs/formats/known_names.md), which is begun anew where it is of another authority.
  /// DATA_LOSS says what to do about a damaged one. A file that cannot be written is warned of: then names are kept in
  /// memory.
  static Result<std::unique_ptr<KnownNames>> open(std::filesystem::path file, BytesView authority_key);

  /// Errors of `check_succession`. Nothing is remembered.
  [[nodiscard]] Status check(const Descriptor& descriptor, const Signed& signed_descriptor) const;

  /// Errors of `check_owner` against what the authority stated, and of `check_succession`. It is remembered unless it
  /// is newer than the version that is in force by that statement: a cluster may try such a one and go back from it.
  /// RESOURCE_EXHAUSTED when there are 100,000 names.
  Status accept(const KeyScope& stated, const Descriptor& descriptor, const Signed& signed_descriptor);

  /// The same for a version that is in force, as all of a topic's are, where the owner was checked before.
  Status remember(const Descriptor& descriptor, const Signed& signed_descriptor);

private:
  using Names = std::map<std::string, HeldName, std::less<>>;

  KnownNames(std::filesystem::path file, std::string heading) : file_(std::move(file)), heading_(std::move(heading)) {}
  static Status read(const std::filesystem::path& file, const std::string& heading, Names& names);
  void save(Names& names) const;

  const std::filesystem::path file_; // empty: none
  const std::string heading_;
  Guarded<Names> names_;
};

} // namespace tcfdl::wire
