#include "wire/descriptor.hpp"

#include "base/encoding.hpp"
#include "base/schedule.hpp"
#include "wire/manifest.hpp"
#include "wire/signed.hpp"
#include "wire/topic.hpp"

#include <limits>

namespace tcfdl::wire {

namespace {

constexpr int kMostTriggers = 64;

/// What a program must say, and what a topic must.
Status check_kind(const Descriptor& descriptor) {
  const auto refuse = [&](std::string_view why) {
    return make_error(Code::kInvalidArgument, "the descriptor of {}: {}", descriptor.name(), why);
  };
  if (descriptor.has_topic()) {
    if (!descriptor.measurement().empty() || !descriptor.tee_kinds().empty() || descriptor.triggers_size() > 0 ||
        descriptor.cron_size() > 0) {
      return refuse("it is a topic, and has no program");
    }
    if (contains_text(descriptor.protections(), "hse")) return refuse("protections of a topic are 'eae' and 'none'");
    return check_topic_policy(descriptor.topic());
  }
  if (descriptor.measurement().size() != crypto::kSha256Size) return refuse("measurement has not 32 bytes");
  if (descriptor.tee_kinds().empty()) return refuse("tee_kinds is empty, so nothing may run it");
  if (descriptor.triggers_size() > kMostTriggers || descriptor.cron_size() > kMostTriggers) {
    return refuse("it has more than 64 triggers of a kind");
  }
  for (const auto& topic : descriptor.triggers()) TCFDL_TRY(parse_function_name(topic));
  for (const auto& expression : descriptor.cron()) TCFDL_TRY(Schedule::parse(expression));
  return {};
}

} // namespace

Result<Descriptor> check_descriptor(const Signed& unverified) {
  if (unverified.statement().size() > kMaxDescriptor) {
    return make_error(Code::kInvalidArgument, "the descriptor has {} bytes; {} are allowed",
                      unverified.statement().size(), kMaxDescriptor);
  }
  TCFDL_ASSIGN(auto descriptor, verify_descriptor(unverified));
  const auto refuse = [&](std::string_view why) {
    return make_error(Code::kInvalidArgument, "the descriptor of {}: {}", descriptor.name(), why);
  };
  constexpr auto kLastVersion = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (descriptor.version() == 0 || descriptor.version() > kLastVersion)
    return refuse("version is not from 1 to 2^63-1");
  TCFDL_TRY(check_kind(descriptor));
  if (descriptor.assurance().empty()) return refuse("assurance is empty, so nothing may process its tasks");
  if (descriptor.providers().empty()) return refuse("providers is empty; '*' admits every cluster");
  for (const auto& protection : descriptor.protections()) {
    if (protection != "eae" && protection != "hse" && protection != "none") {
      return refuse("protections are 'eae', 'hse' and 'none'");
    }
  }
  return descriptor;
}

Result<Descriptor> check_bundle(const Signed& unverified, BytesView manifest) {
  TCFDL_ASSIGN(auto descriptor, check_descriptor(unverified));
  const auto measurement = measure_manifest(manifest);
  if (as_text(measurement) == descriptor.measurement()) return descriptor;
  return make_error(Code::kInvalidArgument,
                    "the manifest is not the one that the descriptor of {} measures: it has the SHA-256 {}, wanted {}",
                    descriptor.name(), to_hex(measurement), to_hex(as_bytes(descriptor.measurement())));
}

HeldName held_name(const Descriptor& descriptor, BytesView statement) {
  return {.owner = crypto::sha256(as_bytes(descriptor.owner_key())),
          .version = descriptor.version(),
          .statement = crypto::sha256(statement)};
}

Status check_succession(std::string_view name, const HeldName& held, const HeldName& offered) {
  if (held.owner != offered.owner) {
    return make_error(Code::kPermissionDenied,
                      "the name {} belongs to another owner, whose key has the fingerprint {}; this descriptor is "
                      "signed with {}. Sign with the owner's key, or choose another name",
                      name, to_hex(held.owner), to_hex(offered.owner));
  }
  if (offered.version < held.version) {
    return make_error(Code::kFailedPrecondition,
                      "version {} of {} is older than version {}, which is known already; deploy a version above {}",
                      offered.version, name, held.version, held.version);
  }
  if (offered.version > held.version || offered.statement == held.statement) return {};
  return make_error(Code::kAlreadyExists, "version {} of {} is known with other content; raise the version",
                    offered.version, name);
}

Status check_owner(const KeyScope& scope, const Descriptor& descriptor) {
  if (scope.function() != descriptor.name()) {
    return make_error(Code::kPermissionDenied, "the descriptor is of {}, the authority's key of {}", descriptor.name(),
                      scope.function());
  }
  const auto owner = crypto::sha256(as_bytes(descriptor.owner_key()));
  if (as_text(owner) != scope.owner()) {
    return make_error(Code::kPermissionDenied,
                      "the name {} belongs to another owner, whose key has the fingerprint {}; this descriptor is "
                      "signed with {}",
                      descriptor.name(), to_hex(as_bytes(scope.owner())), to_hex(owner));
  }
  if (descriptor.version() >= scope.version()) return {};
  return make_error(Code::kFailedPrecondition,
                    "version {} of {} is older than version {}, which is registered; deploy that one",
                    descriptor.version(), descriptor.name(), scope.version());
}

std::string fingerprint(BytesView owner_key) { return to_hex(crypto::sha256(owner_key)); }

bool admits_provider(const Descriptor& descriptor, std::string_view cluster) {
  return contains_text(descriptor.providers(), "*") || contains_text(descriptor.providers(), cluster);
}

} // namespace tcfdl::wire
