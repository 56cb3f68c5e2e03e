// Identifiers as types: each is text of its own kind, checked where it enters the program.
#pragma once

#include "base/result.hpp"

#include <compare>
#include <functional>
#include <string>

namespace tcfdl {

/// A string that is an identifier of one kind and mixes with no other kind.
template <class Tag> class Id {
public:
  Id() = default;
  explicit Id(std::string text) : text_(std::move(text)) {}

  [[nodiscard]] const std::string& str() const noexcept { return text_; }
  [[nodiscard]] bool empty() const noexcept { return text_.empty(); }

  friend auto operator<=>(const Id&, const Id&) = default;

private:
  std::string text_;
};

using FunctionName = Id<struct FunctionNameTag>;
using TaskId = Id<struct TaskIdTag>;
using InstanceId = Id<struct InstanceIdTag>;
using NodeId = Id<struct NodeIdTag>;
using ClusterId = Id<struct ClusterIdTag>;
using CallerId = Id<struct CallerIdTag>;

/// A function's name: 1 to 128 characters, parts of `[a-z0-9][a-z0-9._-]*` joined by `/`.
/// INVALID_ARGUMENT says what is wrong.
Result<FunctionName> parse_function_name(std::string_view text);

/// The name of a cluster or node: 1 to 63 characters of `[a-z0-9-]`, first and last alphanumeric (as DNS labels,
/// RFC 1123 section 2.1). `what` names the field in the error.
Status check_label(std::string_view text, std::string_view what);

/// A name for an instance: `<function, '/' as '-'>-<8 hexadecimal digits>`, random.
InstanceId make_instance_id(const FunctionName& function);

/// A new UUID of version 7 (RFC 9562 section 5.7): ordered by time, random otherwise.
std::string make_uuid();

/// Whether `text` has the form of a UUID, lower case.
bool is_uuid(std::string_view text) noexcept;

} // namespace tcfdl

template <class Tag> struct std::hash<tcfdl::Id<Tag>> {
  std::size_t operator()(const tcfdl::Id<Tag>& id) const noexcept { return std::hash<std::string>()(id.str()); }
};

template <class Tag> struct fmt::formatter<tcfdl::Id<Tag>> : fmt::formatter<std::string_view> {
  template <class Context> auto format(const tcfdl::Id<Tag>& id, Context& context) const {
    return fmt::formatter<std::string_view>::format(id.str(), context);
  }
};
