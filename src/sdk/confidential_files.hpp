// Opens the confidential files of an instance's bundle. docs/formats/confidential_file.md.
#pragma once

#include "sdk/identity.hpp"
#include "wire/confidential.hpp"

namespace tcfdl::sdk {

/// Directories of the instance, each with the paths of the bundle below it.
struct ContentPlaces {
  std::filesystem::path bundle; ///< what the function sees: the opened files in the place of the encrypted ones
  std::filesystem::path sealed; ///< the bundle as it was delivered
  std::filesystem::path opened; ///< memory of the instance, where the files are written
};

/// What attaching gives for them; nothing of it is checked yet.
struct Content {
  std::string manifest;
  wire::KeyPackage key; ///< empty: the authority has none
};

/// Opens every confidential file of the bundle that the instance's certificate measures. On an error nothing is left of
/// what was opened.
/// PERMISSION_DENIED for another manifest or a key of another bundle, FAILED_PRECONDITION where the authority has no
/// key, UNAUTHENTICATED and DATA_LOSS for a file that its owner did not seal; each names function and file.
Status open_confidential_files(const Identity& identity, const Content& content, const ContentPlaces& places,
                               std::int64_t now);

} // namespace tcfdl::sdk
