// Real attestation evidence for tests: files that belong to no checkout.
#pragma once

#include "base/file.hpp"

#include <cstdlib>

namespace tcfdl::test {

/// Where the evidence is: TCFDL_EVIDENCE, else `shared/evidence` beside the checkout. nullopt where there is none.
inline std::optional<std::filesystem::path> evidence_folder() {
  const char* named = std::getenv("TCFDL_EVIDENCE");
  const auto checkout = std::filesystem::path(__FILE__).parent_path() / "../../..";
  const std::filesystem::path folder = named != nullptr ? named : checkout / "../shared/evidence";
  if (std::filesystem::is_directory(folder)) return folder;
  return std::nullopt;
}

} // namespace tcfdl::test

/// Names the folder, or skips the test with what to do.
#define TCFDL_EVIDENCE_OR_SKIP(name)                                                                                   \
  const auto name##_found = tcfdl::test::evidence_folder();                                                            \
  if (!name##_found) GTEST_SKIP() << "no real evidence: set TCFDL_EVIDENCE to a folder that has it";                   \
  const auto& name = *name##_found
