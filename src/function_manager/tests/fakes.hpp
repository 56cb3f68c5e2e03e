// A registry in memory that refuses or is out of reach as told.
#pragma once

#include "function_manager/ports.hpp"

#include <map>
#include <optional>

namespace tcfdl::function_manager {

class FakeRegistry final : public Registry {
public:
  Status register_function(const wire::Signed& descriptor,
                           const std::optional<wire::KeyPackage>& content_key) override {
    ++calls;
    if (error) return *error;
    last_content_key = content_key;
    const auto parsed = wire::parse<wire::Descriptor>(descriptor.statement());
    held[parsed->name()] = parsed->version();
    return {};
  }
  Result<bool> stage_function(const wire::Signed& descriptor,
                              const std::optional<wire::KeyPackage>& content_key) override {
    ++calls;
    if (error) return *error;
    last_content_key = content_key;
    const auto parsed = wire::parse<wire::Descriptor>(descriptor.statement());
    if (held[parsed->name()] >= parsed->version()) return false;
    staged[parsed->name()] = parsed->version();
    return true;
  }
  Status withdraw_function(const std::string& name) override {
    ++calls;
    if (error) return *error;
    staged.erase(name);
    return {};
  }
  Status unregister_function(const std::string& name) override {
    ++calls;
    if (error) return *error;
    if (held.erase(name) == 0) return Error(Code::kNotFound, "not registered");
    return {};
  }
  Result<std::vector<std::string>> renew(const std::vector<std::string>& names) override {
    ++calls;
    if (renewal_error) return *renewal_error;
    renewed = names;
    std::vector<std::string> missing;
    for (const auto& name : names) {
      if (!held.contains(name)) missing.push_back(name);
    }
    return missing;
  }

  std::map<std::string, std::uint64_t> held;
  std::map<std::string, std::uint64_t> staged;
  std::vector<std::string> renewed;
  std::optional<Error> error;
  std::optional<Error> renewal_error;
  std::optional<wire::KeyPackage> last_content_key;
  int calls = 0;
};

} // namespace tcfdl::function_manager
