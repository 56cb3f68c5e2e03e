// What the function manager needs from others.
#pragma once

#include "wire/messages.hpp"

#include <optional>

namespace tcfdl::function_manager {

/// The service manager's registry, as seen by one cluster. Called from any thread, by one at a time.
class Registry {
public:
  virtual ~Registry() = default;

  /// UNAVAILABLE or DEADLINE_EXCEEDED when the registry cannot be reached: the call is repeated with a later renewal.
  /// Any other error is the registry's refusal.
  /// The content key goes along where the bundle has confidential files.
  virtual Status register_function(const wire::Signed& descriptor,
                                   const std::optional<wire::KeyPackage>& content_key) = 0;

  /// Lets this cluster try a version while the one in force stays. False where it is in force already. Errors as above.
  virtual Result<bool> stage_function(const wire::Signed& descriptor,
                                      const std::optional<wire::KeyPackage>& content_key) = 0;
  /// Ends a trial; nothing where there is none. Errors as above.
  virtual Status withdraw_function(const std::string& name) = 0;

  /// Errors as above; NOT_FOUND when the registry does not hold it.
  virtual Status unregister_function(const std::string& name) = 0;

  /// Keeps the cluster and its functions listed. Gives the names among them that the registry lacks.
  virtual Result<std::vector<std::string>> renew(const std::vector<std::string>& names) = 0;
};

} // namespace tcfdl::function_manager
